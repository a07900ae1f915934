// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package kubelet

import (
	"os"
	"os/exec"
	"syscall"
)

// runAs has a process run as another user in its own eyes, without a capability: in a user
// namespace in which the user of this process has that number. Such a namespace has room
// for one user, so nobody in it may mount anything: a root file system that is read-only
// would take a second one, and thus privileges here.
func runAs(command *exec.Cmd, user int) {
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getgid(), Size: 1}},
	}
}
