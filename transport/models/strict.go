package models

import (
	"fmt"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/internal/limits"
	"github.com/whorl-go/whorl/transport/internal/strict"
)

// checkStrict looks at the sums over all strict tools of the request.
func checkStrict(r *transport.Request, _ *Model) (feature, instead string) {
	var sum strict.Size
	tools := 0
	var optional, unions strict.Size // those that add most
	var optionalIn, unionsIn string  // and their names
	for i := range r.Tools {
		size := r.Tools[i].StrictSize()
		if !size.Strict {
			continue
		}
		tools++
		sum.Optional += size.Optional
		sum.Unions += size.Unions
		if tools == 1 || size.Optional > optional.Optional {
			optional, optionalIn = size, r.Tools[i].Name()
		}
		if tools == 1 || size.Unions > unions.Unions {
			unions, unionsIn = size, r.Tools[i].Name()
		}
	}
	switch {
	case tools > limits.StrictTools:
		return fmt.Sprintf("%d strict tools", tools), fmt.Sprintf("a request may have %d: leave strict off where arguments that don't fit may be answered with an error", limits.StrictTools)
	case sum.Optional > limits.StrictOptional || tools > 0 && optional.Optional == limits.StrictOptional:
		return fmt.Sprintf("%d optional parameters of strict tools", sum.Optional), fmt.Sprintf("a request may have %d, and one tool fewer: make some of the %d of tool %q required, or leave strict off for it", limits.StrictOptional, optional.Optional, optionalIn)
	case sum.Unions > limits.StrictUnions || tools > 0 && unions.Unions == limits.StrictUnions:
		return fmt.Sprintf("%d parameters of several types in strict tools", sum.Unions), fmt.Sprintf("a request may have %d, and one tool fewer: give some of the %d of tool %q one type, or leave strict off for it", limits.StrictUnions, unions.Unions, unionsIn)
	}
	return "", ""
}
