// Package pcsc is the readers that the PC/SC service of the system knows: pcscd on Unix, winscard on Windows. It opens links to cards and
// does not know what is said over them. On Unix it needs cgo; a program built without it is told that by every call.
package pcsc
