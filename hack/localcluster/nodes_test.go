package main

import (
	"net/netip"
	"testing"
)

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
