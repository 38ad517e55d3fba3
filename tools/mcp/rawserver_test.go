package mcp_test

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

var (
	png1x1 = func() []byte {
		var b bytes.Buffer
		_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1)))
		return b.Bytes()
	}()
	pdf1 = []byte("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
		"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R/Size 4>>\n%%EOF\n")
)

// rawServer is a server by hand, for what no sound library sends. Its mode is the
// result of tools/list; the result of a call is the text of its argument "result",
// and other arguments make it do worse things.
func rawServer(list string, in io.Reader, out io.Writer) {
	fmt.Fprintln(out, "My server 1.0 is starting…") // noise, as servers write it
	fmt.Fprintln(out, `{"level":"info","msg":"listening"}`)
	r := bufio.NewReader(in)
	calls := 0
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		id := rawjson.Get(line, "id")
		switch rawjson.GetString(line, "method") {
		case "initialize":
			fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{},"resources":{},"prompts":{}},"serverInfo":{"name":"raw","version":"1"}}}`+"\n", id)
		case "tools/list":
			if list == "endless" || list == "circle" {
				cursor := rawjson.GetString(rawjson.Get(line, "params"), "cursor")
				n, _ := strconv.Atoi(cursor)
				if n++; list == "circle" {
					n %= 3
				}
				fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"t%d","description":%q,"inputSchema":{"type":"object"}}],"nextCursor":"%d"}}`+"\n",
					id, n, strings.Repeat("x", 100_000), n)
				continue
			}
			fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", id, list)
		case "tools/call":
			calls++
			args := rawjson.Get(rawjson.Get(line, "params"), "arguments")
			switch do := rawjson.GetString(args, "do"); do {
			case "die":
				os.Exit(3)
			case "noise":
				fmt.Fprint(out, "Loading model… 100%\nprogress: ")
			case "long":
				fmt.Fprintf(out, `{"result":{"content":[{"type":"text","text":%q}],"id":99},"jsonrpc":"2.0","id":%s}`+"\n", strings.Repeat("y", 100_000), id)
				continue
			case "error":
				fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32603,"message":%s}}`+"\n", id, rawjson.Get(args, "message"))
				continue
			case "badError":
				fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"error":"it failed"}`+"\n", id)
				continue
			case "quoted id":
				fmt.Fprintf(out, `{"jsonrpc":"2.0","id":"%s","result":{"content":[{"type":"text","text":"quoted"}]}}`+"\n", id)
				continue
			case "no id":
				fmt.Fprintln(out, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}`)
				continue
			case "ask", "sample", "roots":
				method := map[string]string{"ask": "elicitation/create", "sample": "sampling/createMessage", "roots": "roots/list"}[do]
				fmt.Fprintf(out, `{"jsonrpc":"2.0","id":"q","method":%q,"params":{"message":"who?","requestedSchema":{"type":"object","properties":{}},"messages":[],"maxTokens":1}}`+"\n", method)
				answer, err := r.ReadBytes('\n')
				if err != nil {
					return
				}
				text := string(rawjson.AppendString(nil, string(bytes.TrimSpace(answer))))
				fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":%s}]}}`+"\n", id, text)
				continue
			}
			result := rawjson.GetString(args, "result")
			if result == "" {
				result = fmt.Sprintf(`{"content":[{"type":"text","text":"call %d of process %d"}]}`, calls, os.Getpid())
			}
			fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", id, result)
		case "resources/list":
			fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":{"resources":[{"uri":"a:1","name":"a"},{"uri":7},null,"x",{"uri":"b:1","name":"b","size":"large"},{"uri":"c:1","name":"c"}]}}`+"\n", id)
		case "resources/read":
			fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":{"contents":[{"uri":"a:1","blob":"???"},{"uri":"a:1","text":"kept"}]}}`+"\n", id)
		case "prompts/list":
			fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":{"prompts":[{"name":[]},{"name":"p"}]}}`+"\n", id)
		case "prompts/get":
			fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"odd"}]},{"role":"user","content":"b"}]}}`+"\n", id)
		default:
			if len(id) > 0 {
				fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}`+"\n", id)
			}
		}
	}
}
