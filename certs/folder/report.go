package folder

import "github.com/siegel-mail/siegel/certs/bundle"

// Report says what was found in each file and what was wrong with it, in the order of their paths, which are relative to
// the folder, or to the trust folder where that lies elsewhere.
type Report = bundle.Report

// FileReport is what one file gave.
type FileReport = bundle.FileReport

// Finding is something an administrator should know of a file.
type Finding = bundle.Finding
