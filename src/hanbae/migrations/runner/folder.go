package main

import (
	"io/fs"
	"os"
	"path/filepath"
)

// folder is the file system as goose's command sees it; goose opens a file when that file's turn has come.
type folder struct{ own *session }

func (files folder) Open(name string) (fs.File, error) {
	file, err := os.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		file.Close()
		return nil, err
	}
	files.own.where.hideVariables(string(content))
	files.own.begin(filepath.Base(name))
	return file, nil
}

func (folder) Stat(name string) (fs.FileInfo, error) { return os.Stat(filepath.FromSlash(name)) }

func (folder) Glob(pattern string) ([]string, error) {
	return filepath.Glob(filepath.FromSlash(pattern))
}

func (folder) ReadDir(name string) ([]fs.DirEntry, error) {
	return os.ReadDir(filepath.FromSlash(name))
}
