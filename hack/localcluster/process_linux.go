package main

import "syscall"

// childAttributes puts a child into its own process group and has the kernel kill it when the launcher dies,
// however that happens.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
