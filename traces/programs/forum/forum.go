// Package forum is a small web site and its visitors, for programs that record
// what a server does.
package forum

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Forum serves topics: trees of posts, as web pages.
// A topic with too many posts is closed, and a new one takes its place.
type Forum struct {
	mu     sync.Mutex
	topics map[string]*topic
}

type topic struct {
	root  post
	posts int
}

type post struct {
	Author  string `json:"author"`
	Text    string `json:"text"`
	replies []*post
}

const maxPosts = 40

func New() *Forum {
	return &Forum{topics: map[string]*topic{}}
}

// ServeHTTP shows a topic; with POST it adds a post to the topic before that.
func (f *Forum) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var added *post
	if r.Method == http.MethodPost {
		added = new(post)
		if err := json.NewDecoder(r.Body).Decode(added); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(f.page(r.URL.Query().Get("topic"), added))
}

func (f *Forum) page(name string, added *post) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.topics[name]
	if t == nil || t.posts == maxPosts {
		t = &topic{root: post{Author: "forum", Text: "About " + name}}
		f.topics[name] = t
	}
	if added != nil {
		t.root.add(added)
		t.posts++
	}
	var b bytes.Buffer
	t.root.show(&b)
	return b.Bytes()
}

// add puts the new post somewhere into the tree below p.
func (p *post) add(added *post) {
	h := fnv.New32a()
	io.WriteString(h, added.Text)
	for at := h.Sum32(); len(p.replies) > 0 && at%4 != 0; at /= 4 {
		p = p.replies[int(at)%len(p.replies)]
	}
	p.replies = append(p.replies, added)
}

func (p *post) show(b *bytes.Buffer) {
	fmt.Fprintf(b, "<li><b>%s</b> %s\n<ul>", html.EscapeString(p.Author), html.EscapeString(p.Text))
	for _, reply := range p.replies {
		reply.show(b)
	}
	b.WriteString("</ul>\n")
}

// Visit requests pages over one connection; every third visit leaves a post.
func Visit(site, visitor string, pages int) error {
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport}
	for i := range pages {
		address := fmt.Sprintf("%s/?topic=%s", site, url.QueryEscape(fmt.Sprint("topic ", (i*7+len(visitor))%60)))
		var answer *http.Response
		var err error
		if i%3 == 0 {
			body, _ := json.Marshal(post{Author: visitor, Text: strings.Repeat(fmt.Sprintf("%d & ", i), 1+i%20)})
			answer, err = client.Post(address, "application/json", bytes.NewReader(body))
		} else {
			answer, err = client.Get(address)
		}
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
