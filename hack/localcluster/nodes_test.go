package main

import (
	"bytes"
	"net/netip"
	"testing"
)

// What flags replace stands in the stages: once, or in each stage of pods.
func TestStagesHaveWhatFlagsReplace(t *testing.T) {
	if count := bytes.Count(stages, []byte("\n  "+podStart+"\n")); count != 1 {
		t.Errorf("%q is there %d times", podStart, count)
	}
	if !bytes.Contains(stages, []byte(`select( startswith("`+notSimulated+`") )`)) {
		t.Errorf("%q is not there", notSimulated)
	}
}

// Each node has an address of its own, in the network for benchmarks.
func TestAddresses(t *testing.T) {
	network, seen := netip.MustParsePrefix("198.18.0.0/15"), map[string]bool{}
	for i := 1; i <= maxNodes; i++ {
		text := address(i)
		parsed, err := netip.ParseAddr(text)
		if err != nil || !network.Contains(parsed) || seen[text] {
			t.Fatalf("node %d has the address %s: seen %v, %v", i, text, seen[text], err)
		}
		seen[text] = true
	}
}
