// Package view decodes content blocks and the rarer parts of responses into structs,
// for reading. Requests always contain the blocks themselves.
//
//	switch v := view.Of(block).(type) {
//	case view.Text:
//		fmt.Println(v.Text, len(v.Citations))
//	case view.WebSearchToolResult:
//		fmt.Println(len(v.Results), "pages found")
//	}
package view
