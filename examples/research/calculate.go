package main

import (
	"context"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"math"
)

type calculateInput struct {
	Expression string `json:"expression" jsonschema:"description=Numbers with + - * / % and parentheses\\, such as (3+4)*1.5"`
}

// calculate is the tool of that name. It computes exactly, as Go's constants do,
// but 7/2 is 3.5.
func calculate(ctx context.Context, in calculateInput) (string, error) {
	expr, err := parser.ParseExpr(in.Expression)
	if err != nil {
		return "", fmt.Errorf("%q is no expression: %w", in.Expression, err)
	}
	v, err := value(expr)
	if err != nil {
		return "", fmt.Errorf("%q: %w", in.Expression, err)
	}
	if i := constant.ToInt(v); i.Kind() == constant.Int {
		return in.Expression + " = " + i.ExactString(), nil
	}
	f, _ := constant.Float64Val(v)
	return fmt.Sprintf("%s = %v", in.Expression, f), nil
}

func value(e ast.Expr) (constant.Value, error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return value(e.X)
	case *ast.BasicLit:
		if e.Kind == token.INT || e.Kind == token.FLOAT {
			v := constant.MakeFromLiteral(e.Value, e.Kind, 0)
			if f, _ := constant.Float64Val(v); v.Kind() == constant.Unknown || math.IsInf(f, 0) {
				return nil, fmt.Errorf("%s is too large", e.Value)
			}
			return v, nil
		}
	case *ast.UnaryExpr:
		x, err := value(e.X)
		if err != nil {
			return nil, err
		}
		if e.Op == token.SUB || e.Op == token.ADD {
			return constant.UnaryOp(e.Op, x, 0), nil
		}
	case *ast.BinaryExpr:
		x, err := value(e.X)
		if err != nil {
			return nil, err
		}
		y, err := value(e.Y)
		if err != nil {
			return nil, err
		}
		return operate(x, e.Op, y)
	}
	return nil, fmt.Errorf("only numbers, + - * / %% and parentheses can be computed")
}

func operate(x constant.Value, op token.Token, y constant.Value) (constant.Value, error) {
	zero := constant.Sign(y) == 0
	switch op {
	case token.ADD, token.SUB, token.MUL:
		return constant.BinaryOp(x, op, y), nil
	case token.QUO:
		if !zero {
			return constant.BinaryOp(constant.ToFloat(x), op, constant.ToFloat(y)), nil
		}
	case token.REM:
		x, y = constant.ToInt(x), constant.ToInt(y)
		if x.Kind() != constant.Int || y.Kind() != constant.Int {
			return nil, fmt.Errorf("%% needs whole numbers")
		}
		if !zero {
			return constant.BinaryOp(x, op, y), nil
		}
	default:
		return nil, fmt.Errorf("can't compute %s", op)
	}
	return nil, fmt.Errorf("division by zero")
}
