package configs

import (
	"os"
	"strconv"
	"strings"
)

// capNetBindService is the number of the capability to open ports below 1024 (capabilities(7)).
const capNetBindService = 10

// processCanBind reports whether this process may open a TCP port: it is a high one, or the process is
// the administrator, or has the capability. What cannot be found out counts as yes.
func processCanBind(port int) bool {
	first := 1024
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			first = n
		}
	}
	if port == 0 || port >= first || os.Geteuid() <= 0 {
		return true
	}
	status, err := os.ReadFile("/proc/self/status")
	return err != nil || hasCapability(string(status), capNetBindService)
}

// hasCapability reads the effective capabilities of a proc(5) status.
func hasCapability(status string, bit uint) bool {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			return err != nil || set&(1<<bit) != 0
		}
	}
	return true
}
