// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// agree asks whether to go on. Where there is nobody to ask, it has to be said beforehand.
func agree(ctx context.Context, isAgreed bool, in *os.File) error {
	if isAgreed {
		return nil
	}
	if !term.IsTerminal(int(in.Fd())) {
		return errors.New("nothing was changed: this is no terminal to ask on; set YES=1 to go on without being asked")
	}
	fmt.Print("Go on? [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case said := <-answer:
		if said != "y" && said != "yes" {
			return errors.New("nothing was changed")
		}
		return nil
	}
}
