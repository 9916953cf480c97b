// Command renderer answers, over pipes, what Helm renders of charts that nobody has to trust.
//
// It is Helm's own engine of the release that Argo CD pins, as a library; see render.go. A chart is hostile: recursion
// or a range without end end this process, so it limits itself and its parent replaces it.
//
// A message is its length in eight bytes, big-endian, and its content. A request's content is the length of its head
// in eight bytes, the head as JSON, and the chart's files one behind the other; an answer's content is a JSON list.
// Before each answer comes one byte, as soon as its request was read: what ends the process from then on is the chart.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

const (
	// memory is the address space in bytes. Go reserves more than it uses; a large chart uses some hundred MB.
	memory = 3 << 30
	// seconds of CPU for reading a request, and for each release of it; a large chart takes well under one to render, and
	// comparisons take some more (mostCompared).
	seconds = 20
	// stack in bytes, of which Go would allow a gigabyte: templates that call themselves without end stop sooner.
	stack = 256 << 20
	// largest request in bytes. Helm allows a chart 100 MiB.
	largest = 256 << 20
	// tooLarge and spent are exit codes; hanbae/charts/pools.py knows the second.
	tooLarge, spent = 3, 4
	// receipt is the byte before an answer.
	receipt = '\n'
)

// file is a part of a chart: its path in the chart's folder and its size.
type file struct {
	Path string `json:"path"`
	Size int    `json:"size"`
}

// request is what is wanted of a chart; hanbae/charts/pools.py says what each field means.
type request struct {
	Files    []file      `json:"files"`
	Releases []release   `json:"releases"`
	Texts    bool        `json:"texts"`
	Manifest bool        `json:"manifest"`
	Printed  bool        `json:"printed"`
	Resolved [][3]string `json:"resolved"`
	Question *question   `json:"question"`
	content  [][]byte
}

type release struct {
	Name           string   `json:"name"`
	Namespace      string   `json:"namespace"`
	Values         [][]byte `json:"values"`
	KubeVersion    string   `json:"kube_version"`
	APIVersions    []string `json:"api_versions"`
	VersionIsKnown bool     `json:"version_is_known"`
	APIsAreKnown   bool     `json:"apis_are_known"`
	SkipCRDs       bool     `json:"skip_crds"`
	SkipSchema     bool     `json:"skip_schema"`
}

func main() {
	confine()
	// Helm warns on stderr of charts that are old; an answer says all there is to say.
	log.SetOutput(io.Discard)
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	requests := make(chan []byte)
	go receive(requests)
	replies := bufio.NewWriterSize(os.Stdout, 1<<20)
	for content := range requests {
		// At once, not with the answer: nothing else is left in the buffer.
		if _, err := os.Stdout.Write([]byte{receipt}); err != nil {
			return
		}
		allow()
		var req request
		if err := read(content, &req); err != nil {
			os.Exit(tooLarge)
		}
		reply := req.reply()
		var head [8]byte
		binary.BigEndian.PutUint64(head[:], uint64(len(reply)))
		replies.Write(head[:])
		replies.Write(reply)
		if replies.Flush() != nil {
			return
		}
	}
}

// reply is what was rendered, or what is known of dependencies, where that was asked.
func (r *request) reply() []byte {
	if r.Question != nil {
		return r.Question.answer(r.content)
	}
	return answers(r)
}

// receive hands requests on and ends the process when there can be no more, whatever it is doing then.
func receive(requests chan<- []byte) {
	stream := bufio.NewReaderSize(os.Stdin, 1<<16)
	for {
		var head [8]byte
		if _, err := io.ReadFull(stream, head[:]); err != nil {
			os.Exit(0)
		}
		size := binary.BigEndian.Uint64(head[:])
		if size > largest {
			os.Exit(tooLarge)
		}
		content := make([]byte, size)
		if _, err := io.ReadFull(stream, content); err != nil {
			os.Exit(0)
		}
		requests <- content
	}
}

func read(content []byte, req *request) error {
	if len(content) < 8 {
		return io.ErrUnexpectedEOF
	}
	size := binary.BigEndian.Uint64(content)
	rest := content[8:]
	if size > uint64(len(rest)) {
		return io.ErrUnexpectedEOF
	}
	if err := json.Unmarshal(rest[:size], req); err != nil {
		return err
	}
	rest = rest[size:]
	for _, f := range req.Files {
		if f.Size < 0 || f.Size > len(rest) {
			return io.ErrUnexpectedEOF
		}
		req.content = append(req.content, rest[:f.Size:f.Size])
		rest = rest[f.Size:]
	}
	return nil
}

// confine gives up what rendering does not need.
func confine() {
	debug.SetMaxStack(stack)
	limit(syscall.RLIMIT_AS, memory)
	limit(syscall.RLIMIT_CORE, 0)
	limit(syscall.RLIMIT_FSIZE, 0)
	limit(syscall.RLIMIT_NOFILE, 64)
	syscall.Umask(0o077)
	signal.Ignore(syscall.SIGINT) // a terminal's Ctrl-C is the parent's to answer
	exceeded := make(chan os.Signal, 1)
	signal.Notify(exceeded, syscall.SIGXCPU)
	go func() {
		<-exceeded
		os.Exit(spent)
	}()
	endWithParent()
}

func limit(resource int, value uint64) {
	_ = syscall.Setrlimit(resource, &syscall.Rlimit{Cur: value, Max: value})
}

// allow lets this process take some seconds of CPU from now on, for the next request or release.
func allow() {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return
	}
	var now syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_CPU, &now) != nil {
		return
	}
	now.Cur = min(uint64(used.Utime.Sec+used.Stime.Sec)+seconds, now.Max)
	_ = syscall.Setrlimit(syscall.RLIMIT_CPU, &now)
}
