package main

import "testing"

// Only the kernel can do this: the launcher has no chance to.
func TestKilledLauncherLeavesNoChild(t *testing.T) {
	launcher, pids := startLauncher(t)
	if err := launcher.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = launcher.Wait()
	expectGone(t, pids)
}
