// Follows a stream by server-sent events, and prints each message as it comes. Ctrl-C ends it:
//
//	go run follow.go
//
// When it is cut off, or the gateway restarts, it comes back with the last id: nothing is missing and nothing comes
// twice. A program that has to survive its own end keeps the id with what it has made of the messages, and begins with
// that: here LAST_EVENT_ID is the id to begin with. Without one it begins with the first message.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const heartbeat = 15 * time.Second

// errFinal says that coming back does not help.
var errFinal = errors.New("this will not pass by itself")

// follower holds where it continues, and how long it waits before that.
type follower struct {
	url, lastID string
	pause       time.Duration
	handle      func(offset int64, body json.RawMessage) error
}

func main() {
	stream := env("GATEWAY_URL", "http://127.0.0.1:8080") + "/v1/streams/" + url.PathEscape(env("STREAM", "example-go"))
	if err := create(stream); err != nil {
		log.Fatal(err)
	}
	f := &follower{url: stream + "/messages?heartbeat=15", lastID: os.Getenv("LAST_EVENT_ID"), pause: 2 * time.Second}
	f.handle = func(offset int64, body json.RawMessage) error {
		fmt.Printf("offset %d: %s\n", offset, body)
		return nil
	}
	for {
		err := f.follow()
		if errors.Is(err, errFinal) {
			log.Fatal(err)
		}
		fmt.Printf("coming back in %s with the id %s: %v\n", f.pause, f.lastID, err)
		time.Sleep(f.pause)
	}
}

// create makes a stream. Creating one that exists is not an error.
func create(stream string) error {
	request, err := http.NewRequest(http.MethodPut, stream, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode >= 300 {
		return problem(text, false)
	}
	return nil
}

// follow handles the events of one answer, until that ends.
func (f *follower) follow() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// No byte for two heartbeats: the connection is dead, and nothing else says so.
	silence := time.AfterFunc(2*heartbeat+5*time.Second, cancel)
	defer silence.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("accept", "text/event-stream")
	if f.lastID != "" {
		request.Header.Set("last-event-id", f.lastID)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		if seconds, err := strconv.Atoi(answer.Header.Get("retry-after")); err == nil {
			f.pause = time.Duration(seconds) * time.Second
		}
		text, _ := io.ReadAll(answer.Body)
		return problem(text, answer.StatusCode >= 500)
	}
	lines := bufio.NewReader(answer.Body) // a Scanner refuses lines beyond 64 KiB
	event := map[string]string{}
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err // an event that was cut in the middle is left out: it comes again
		}
		silence.Reset(2*heartbeat + 5*time.Second)
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if name != "" {
			event[name] = value // an event of the gateway has one line of data
			continue
		}
		if err := f.take(event); err != nil {
			return err
		}
		// Not before it is handled: where this program ends in between, the message comes again.
		if id, ok := event["id"]; ok {
			f.lastID = id
		}
		event = map[string]string{}
	}
}

// take handles an event: a message, which has no name, or what the gateway says beside the messages.
func (f *follower) take(event map[string]string) error {
	if ms, err := strconv.Atoi(event["retry"]); err == nil {
		f.pause = time.Duration(ms) * time.Millisecond
	}
	var data struct {
		Offset, NextOffset, From, To int64
		Body                         json.RawMessage
		EndOfStream                  bool
		Reason                       string
	}
	if err := json.Unmarshal([]byte(event["data"]), &data); err != nil {
		return err
	}
	switch event["event"] {
	case "":
		return f.handle(data.Offset, data.Body)
	case "state":
		if data.EndOfStream {
			fmt.Printf("caught up: the next message has the offset %d\n", data.NextOffset)
		}
	case "gap":
		fmt.Printf("retention has removed offsets %d to %d\n", data.From, data.To)
	case "bye":
		fmt.Printf("bye: %s\n", data.Reason)
	case "problem":
		return problem([]byte(event["data"]), true)
	}
	return nil
}

// problem reads what the gateway says of an error. What a proxy says is not JSON; mayPass decides then.
func problem(text []byte, mayPass bool) error {
	details := struct {
		Code, Detail string
		Retryable    bool
	}{Retryable: mayPass}
	if json.Unmarshal(text, &details) != nil {
		details.Detail = string(text)
	}
	err := fmt.Errorf("%s: %s", details.Code, details.Detail)
	if !details.Retryable {
		return fmt.Errorf("%w: %w", errFinal, err)
	}
	return err
}

func env(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}
