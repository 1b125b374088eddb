package sqlrescue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

const (
	logHead   = 32
	frameHead = 24
)

// log is a write-ahead log.
type log struct {
	file   *os.File
	frames map[uint32]int64 // where the newest sound content of each page is
	damage string
}

// sums are a running checksum of the log.
type sums [2]uint32

// frame is what the head of a frame says.
type frame struct {
	page   uint32
	commit bool
	salt   [8]byte
	sums   sums
}

// open reads the log in path, which may be missing.
func (l *log) open(path string, pageSize int) error {
	l.frames = map[uint32]int64{}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sqlrescue: %w", err)
	}
	l.file = file
	head := make([]byte, logHead)
	if !readFull(file, head, 0) {
		return nil // nothing was committed into it
	}
	magic := be32(head)
	order := binary.ByteOrder(binary.LittleEndian)
	if magic&1 == 1 {
		order = binary.BigEndian
	}
	start := sums{be32(head[24:]), be32(head[28:])}
	sound := magic&^1 == 0x377f0682 && int(be32(head[8:])) == pageSize && sums{}.add(order, head[:24]) == start
	l.read(order, pageSize, sound, [8]byte(head[16:24]), start)
	return nil
}

// read goes through the frames of the newest generation, which its salt tells. Frames of a commit count when its
// last one was found.
func (l *log) read(order binary.ByteOrder, pageSize int, headSound bool, salt [8]byte, before sums) {
	buf := make([]byte, frameHead+pageSize)
	pending := map[uint32]int64{}
	broken, behind := !headSound, false
	for at := int64(logHead); readFull(l.file, buf, at); at += int64(len(buf)) {
		fr := frame{page: be32(buf), commit: be32(buf[4:]) != 0, salt: [8]byte(buf[8:16]), sums: sums{be32(buf[16:]), be32(buf[20:])}}
		if !headSound && at == logHead {
			salt = fr.salt
		}
		ok := before.add(order, buf[:8]).add(order, buf[frameHead:]) == fr.sums
		before = fr.sums
		if !ok || fr.salt != salt { // damaged, or of an earlier generation, as are all behind it then
			broken = true
			continue
		}
		if fr.page == 0 {
			continue
		}
		behind = behind || broken && fr.commit
		pending[fr.page] = at + frameHead
		if fr.commit {
			for page, at := range pending {
				l.frames[page] = at
			}
			clear(pending)
		}
	}
	if behind {
		l.damage = "the write-ahead log is damaged before its last commit"
	}
}

// add goes on with the checksum over data, whose length is a multiple of 8.
func (s sums) add(order binary.ByteOrder, data []byte) sums {
	for i := 0; i+8 <= len(data); i += 8 {
		s[0] += order.Uint32(data[i:]) + s[1]
		s[1] += order.Uint32(data[i+4:]) + s[0]
	}
	return s
}
