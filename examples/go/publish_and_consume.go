// Creates a stream, publishes ten orders, and reads from where the last run stopped. Run it twice:
//
//	go run publish_and_consume.go
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

const attempts = 5

var (
	gatewayURL = env("GATEWAY_URL", "http://127.0.0.1:8080")
	streamPath = "/v1/streams/" + url.PathEscape(env("STREAM", "example-go"))
	client     = &http.Client{Timeout: 90 * time.Second}
)

// errGoesBack says that another program has stored a later offset under the same name.
var errGoesBack = errors.New("the offset goes back")

type message struct {
	Offset       int64           `json:"offset,omitempty"`
	Body         json.RawMessage `json:"body"`
	PublishingID int64           `json:"publishingId,omitempty"`
}

type batch struct {
	Messages     []message `json:"messages"`
	CommitOffset *int64    `json:"commitOffset"`
	EndOfStream  bool      `json:"endOfStream"`
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	// Creating a stream that exists is not an error.
	if err := call(http.MethodPut, streamPath, map[string]any{}, nil); err != nil {
		return err
	}
	if err := publishOrders(10); err != nil {
		return err
	}
	return consume("billing", func(m message) error {
		fmt.Printf("offset %d: %s\n", m.Offset, m.Body)
		return nil
	})
}

// publishOrders numbers orders from the last stored one on. The number is the publishing id, so the request may be
// repeated: a message that the broker has already is counted as a duplicate and not stored again.
func publishOrders(count int64) error {
	var publisher struct {
		LastPublishingID int64 `json:"lastPublishingId"`
	}
	if err := call(http.MethodGet, streamPath+"/publishers/shop", nil, &publisher); err != nil {
		return err
	}
	var orders []message
	for number := publisher.LastPublishingID + 1; number <= publisher.LastPublishingID+count; number++ {
		orders = append(orders, message{Body: json.RawMessage(fmt.Sprintf(`{"order":%d}`, number)), PublishingID: number})
	}
	for attempt := 0; attempt < attempts; attempt++ {
		var answer struct {
			Confirmed, Duplicates int
			Results               []json.RawMessage
		}
		body := map[string]any{"messages": orders}
		if err := call(http.MethodPost, streamPath+"/messages?publisher=shop", body, &answer); err != nil {
			return err
		}
		if len(answer.Results) == 0 {
			fmt.Printf("stored %d, duplicates %d\n", answer.Confirmed, answer.Duplicates)
			return nil
		}
		// 207: some messages failed, or their outcome is unknown. Sending the same ids again completes the request.
		time.Sleep(time.Second)
	}
	return errors.New("not everything could be published")
}

// consume handles every message from where the consumer stopped last time up to the end of the stream.
//
// Each poll stores that the batch before it is handled: it passes that batch's commitOffset as commit. The poll that
// returns no messages stores the last one. If this program dies, the messages after the stored offset come again. A
// service would add a wait to the query and never leave the loop.
//
// Started twice under one name, two programs handle the same messages until one of them is behind: its commit is
// refused, and it goes on where the other one is.
func consume(consumer string, handle func(message) error) error {
	path := streamPath + "/consumers/" + url.PathEscape(consumer)
	var commit *int64
	for {
		query := url.Values{"limit": {"4"}}
		// Each stored offset is written into the stream. commitOffset is null when there is nothing new to store.
		if commit != nil {
			query.Set("commit", strconv.FormatInt(*commit, 10))
		}
		var answer batch
		err := call(http.MethodGet, path+"/messages?"+query.Encode(), nil, &answer)
		if errors.Is(err, errGoesBack) {
			fmt.Println("another program of this name is ahead: continuing where it is")
			commit = nil
			continue
		}
		if err != nil {
			return err
		}
		commit = answer.CommitOffset
		for _, m := range answer.Messages {
			if err := handle(m); err != nil {
				return err
			}
		}
		if answer.EndOfStream && len(answer.Messages) == 0 {
			fmt.Println("end of stream")
			return nil
		}
	}
}

// call sends a request, and sends it again a few times when the gateway says that this can help. Every request of this
// program may happen twice. A request that may not must not be sent again when the problem's sideEffects is "possible".
//
// 503: waits for the time in Retry-After. 504: the outcome is unknown, and sending the request again settles it.
func call(method, path string, body, answer any) error {
	for attempt := 1; ; attempt++ {
		pause, err := callOnce(method, path, body, answer)
		if err == nil || pause == 0 || attempt == attempts {
			return err
		}
		fmt.Printf("trying again in %s (%d of %d): %v\n", pause, attempt, attempts, err)
		time.Sleep(pause)
	}
}

// callOnce returns how long to wait before the next attempt, with an error after which another attempt may succeed.
func callOnce(method, path string, body, answer any) (time.Duration, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	if body == nil {
		content = nil
	}
	request, err := http.NewRequest(method, gatewayURL+path, bytes.NewReader(content))
	if err != nil {
		return 0, err
	}
	request.Header.Set("content-type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return time.Second, err // no answer: the connection was refused or broken
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return problem(response)
	}
	if answer == nil {
		return 0, nil
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return time.Second, err
	}
	return 0, nil
}

// problem reads an application/problem+json answer.
func problem(response *http.Response) (time.Duration, error) {
	var details struct {
		Code, Detail string
		Retryable    bool
	}
	if json.NewDecoder(response.Body).Decode(&details) != nil {
		details.Retryable = response.StatusCode >= 502 // a proxy answered, not the gateway
	}
	err := fmt.Errorf("%s %s: %s", response.Status, details.Code, details.Detail)
	if details.Code == "offset_goes_back" {
		return 0, fmt.Errorf("%w: %w", errGoesBack, err)
	}
	if !details.Retryable {
		return 0, err
	}
	seconds, _ := strconv.Atoi(response.Header.Get("retry-after"))
	return time.Duration(max(seconds, 1)) * time.Second, err
}

func env(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}
