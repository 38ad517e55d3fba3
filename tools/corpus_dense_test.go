package tools_test

// Twelve types of which each holds all.
type (
	D0 struct {
		F0  []D0
		F1  []D1
		F2  []D2
		F3  []D3
		F4  []D4
		F5  []D5
		F6  []D6
		F7  []D7
		F8  []D8
		F9  []D9
		F10 []D10
		F11 []D11
	}
	D1 struct {
		F0  []D0
		F1  []D1
		F2  []D2
		F3  []D3
		F4  []D4
		F5  []D5
		F6  []D6
		F7  []D7
		F8  []D8
		F9  []D9
		F10 []D10
		F11 []D11
	}
	D2 struct {
		F0  []D0
		F1  []D1
		F2  []D2
		F3  []D3
		F4  []D4
		F5  []D5
		F6  []D6
		F7  []D7
		F8  []D8
		F9  []D9
		F10 []D10
		F11 []D11
	}
	D3 struct {
		F0  []D0
		F1  []D1
		F2  []D2
		F3  []D3
		F4  []D4
		F5  []D5
		F6  []D6
		F7  []D7
		F8  []D8
		F9  []D9
		F10 []D10
		F11 []D11
	}
	D4 struct {
		F0  []D0
		F1  []D1
		F2  []D2
		F3  []D3
		F4  []D4
		F5  []D5
		F6  []D6
		F7  []D7
		F8  []D8
		F9  []D9
		F10 []D10
		F11 []D11
	}
	D5 struct {
		F0  []D0
		F1  []D1
		F2  []D2
		F3  []D3
		F4  []D4
		F5  []D5
		F6  []D6
		F7  []D7
		F8  []D8
		F9  []D9
		F10 []D10
		F11 []D11
	}
	D6 struct {
		F0  []D0
		F1  []D1
		F2  []D2
		F3  []D3
		F4  []D4
		F5  []D5
		F6  []D6
		F7  []D7
		F8  []D8
		F9  []D9
		F10 []D10
		F11 []D11
	}
	D7 struct {
		F0  []D0
		F1  []D1
		F2  []D2
		F3  []D3
		F4  []D4
		F5  []D5
		F6  []D6
		F7  []D7
		F8  []D8
		F9  []D9
		F10 []D10
		F11 []D11
	}
	D8 struct {
		F0  []D0
		F1  []D1
		F2  []D2
		F3  []D3
		F4  []D4
		F5  []D5
		F6  []D6
		F7  []D7
		F8  []D8
		F9  []D9
		F10 []D10
		F11 []D11
	}
	D9 struct {
		F0  []D0
		F1  []D1
		F2  []D2
		F3  []D3
		F4  []D4
		F5  []D5
		F6  []D6
		F7  []D7
		F8  []D8
		F9  []D9
		F10 []D10
		F11 []D11
	}
	D10 struct {
		F0  []D0
		F1  []D1
		F2  []D2
		F3  []D3
		F4  []D4
		F5  []D5
		F6  []D6
		F7  []D7
		F8  []D8
		F9  []D9
		F10 []D10
		F11 []D11
	}
	D11 struct {
		F0  []D0
		F1  []D1
		F2  []D2
		F3  []D3
		F4  []D4
		F5  []D5
		F6  []D6
		F7  []D7
		F8  []D8
		F9  []D9
		F10 []D10
		F11 []D11
	}
)
