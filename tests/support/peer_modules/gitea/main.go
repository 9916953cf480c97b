// Gitea from its module: upstream builds its program in a tree with the web pages, which take Node.
package main

import (
	"os"

	"code.gitea.io/gitea/cmd"
	"code.gitea.io/gitea/modules/setting"
)

var version = "development"

func main() {
	setting.AppVer = version
	app := cmd.NewMainApp(cmd.AppVersion{Version: version})
	if cmd.RunMainApp(app, os.Args...) != nil {
		os.Exit(1)
	}
}
