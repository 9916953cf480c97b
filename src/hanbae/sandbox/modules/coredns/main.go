// Command coredns has only the plugins that a cluster's DNS needs: without the clouds' SDKs it builds in a
// fraction of the time.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loop"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
)

func main() {
	// The order in which a query passes the plugins, CoreDNS's own.
	dnsserver.Directives = []string{
		"reload", "errors", "health", "ready", "cache", "kubernetes", "loop", "forward",
	}
	coremain.Run()
}
