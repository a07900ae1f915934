//go:build !linux

package main

import "syscall"

// childAttributes puts a child into its own process group. There is no parent-death signal here: what a killed
// launcher leaves behind is ended by the next start in the same directory.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
