package main

import (
	"crypto/sha256"
)

// digest stands for the content of a file.
type digest = [sha256.Size]byte
