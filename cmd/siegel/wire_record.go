package main

import (
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
)

// record turns the configuration of the stored record into its options; nil where none is kept.
func record(c configs.Record) *gateway.Record {
	if !c.Enabled {
		return nil
	}
	return &gateway.Record{Retention: c.Retention, MaxSize: int64(c.MaxSize), Subjects: c.Subjects}
}
