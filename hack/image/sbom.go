// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdx/v2/common"
)

// sbom lists what a program is built from, as Go has written it into the program: each module with its version and its
// hash (SPDX 2.3).
type sbom struct{ version, created, name, base string }

func (s *sbom) flags(f *flag.FlagSet) {
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "image sbom [flags] PROGRAM\n\nPrints an SPDX document of the modules that the program is built from.")
		f.PrintDefaults()
	}
	f.StringVar(&s.version, "version", "", "the `version` of the operator")
	f.StringVar(&s.name, "name", "nsm-operator", "the `name` of what has the program in it")
	f.StringVar(&s.base, "base", "", "the `image` that the program was added to, if it is more than an empty one")
	f.StringVar(&s.created, "created", "", "the `time` of the document, such as 2026-01-31T12:00:00Z")
}

func (s *sbom) write(args []string, to io.Writer) error {
	if len(args) != 1 || s.version == "" || s.created == "" || s.name == "" {
		return errors.New("sbom: needs one program, -version, -created and -name")
	}
	info, err := buildinfo.ReadFile(args[0])
	if err != nil {
		return err
	}
	content, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	return json.Write(s.document(info, sha256.Sum256(content)), to, json.Indent("  "))
}

const document = common.ElementID("DOCUMENT")

func (s *sbom) document(info *debug.BuildInfo, sum [sha256.Size]byte) *spdx.Document {
	main := module(&debug.Module{Path: info.Main.Path, Version: "v" + s.version})
	main.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: hex.EncodeToString(sum[:])}}
	main.PackageLicenseConcluded, main.PackageLicenseDeclared = "Apache-2.0", "Apache-2.0"
	main.PrimaryPackagePurpose = "APPLICATION"
	packages := []*spdx.Package{main, module(&debug.Module{Path: "stdlib", Version: info.GoVersion})}
	for _, dependency := range info.Deps {
		if dependency.Replace != nil {
			dependency = dependency.Replace
		}
		packages = append(packages, module(dependency))
	}
	if s.base != "" {
		packages = append(packages, baseImage(s.base))
	}
	relationships := []*spdx.Relationship{relation(document, "DESCRIBES", main.PackageSPDXIdentifier)}
	for _, other := range packages[1:] {
		relationships = append(relationships, relation(main.PackageSPDXIdentifier, "DEPENDS_ON", other.PackageSPDXIdentifier))
	}
	return &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: document,
		DocumentName:      s.name + "-" + s.version,
		DocumentNamespace: "https://github.com/networkservicemesh/nsm-operator/sbom/" + s.name + "/" + hex.EncodeToString(sum[:]),
		CreationInfo: &spdx.CreationInfo{
			Created: s.created, Creators: []common.Creator{{CreatorType: "Organization", Creator: "Network Service Mesh"}},
		},
		Packages: packages, Relationships: relationships,
	}
}

// module is a Go module as SPDX has it.
func module(of *debug.Module) *spdx.Package {
	one := &spdx.Package{
		PackageName: of.Path, PackageVersion: of.Version,
		PackageSPDXIdentifier:   common.ElementID("Package-" + identifier.Replace(of.Path+"-"+of.Version)),
		PackageDownloadLocation: "NOASSERTION", PackageLicenseConcluded: "NOASSERTION", PackageLicenseDeclared: "NOASSERTION",
		PackageCopyrightText: "NOASSERTION",
		PackageExternalReferences: []*spdx.PackageExternalReference{{
			Category: "PACKAGE-MANAGER", RefType: "purl", Locator: "pkg:golang/" + of.Path + "@" + of.Version,
		}},
	}
	if of.Sum != "" {
		one.PackageComment = "go.sum has " + of.Sum
	}
	return one
}

// baseImage is an image that a program was added to. What is in it, it says itself.
func baseImage(image string) *spdx.Package {
	name, tag, _ := strings.Cut(image, ":")
	host, path, _ := strings.Cut(name, "/")
	one := module(&debug.Module{Path: name, Version: tag})
	one.PackageComment = "its packages, and those that were added to them, are in the database of RPM in the image"
	one.PackageExternalReferences[0].Locator = "pkg:docker/" + path + "@" + tag + "?repository_url=" + host
	return one
}

// identifier leaves of a path what may be in an identifier of SPDX: letters, digits, dots and dashes.
var identifier = strings.NewReplacer("/", "-", "_", "-", "+", "-", "~", "-")

func relation(from common.ElementID, kind string, to common.ElementID) *spdx.Relationship {
	return &spdx.Relationship{
		RefA: common.MakeDocElementID("", string(from)), RefB: common.MakeDocElementID("", string(to)), Relationship: kind,
	}
}
