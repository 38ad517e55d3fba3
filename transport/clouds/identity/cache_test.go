package identity

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/transport/secret"
)

// TestCacheInTime lets time pass: a token is renewed in the background from two
// minutes before its end, in the foreground from half a minute, and after a failure not
// again for five seconds.
func TestCacheInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		var fail error
		c := newCache(func(context.Context, bool) (token, error) {
			asked++
			time.Sleep(time.Second)
			return token{value: secret.New(fmt.Sprint("token-", asked)), ends: time.Now().Add(10 * time.Minute)}, fail
		}, nil)
		get := func(want string, asks int) {
			t.Helper()
			got, err := c.get(t.Context())
			if want == "" && err == nil || want != "" && (err != nil || got != want) {
				t.Errorf("%q, %v; want %q", got, err, want)
			}
			synctest.Wait()
			if asked != asks {
				t.Errorf("asked %d times; want %d", asked, asks)
			}
		}
		get("token-1", 1)
		time.Sleep(7*time.Minute + 50*time.Second)
		get("token-1", 1) // more than two minutes are left
		time.Sleep(20 * time.Second)
		get("token-1", 2) // one is asked for behind it
		get("token-1", 2)
		time.Sleep(2 * time.Second)
		get("token-2", 2)
		fail = errors.New("no")
		time.Sleep(8*time.Minute + 5*time.Second)
		get("token-2", 3)
		time.Sleep(2 * time.Second)
		get("token-2", 3) // it failed a second ago
		time.Sleep(5 * time.Second)
		get("token-2", 4)
		time.Sleep(2 * time.Minute)
		get("", 5) // it has ended
		fail = nil
		get("token-6", 6)
		c.drop("token-5")
		get("token-6", 6) // another one was refused
		c.drop("token-6")
		get("token-7", 7)
	})
}

// Who gives up while a token is asked for doesn't take it from those who wait for it, too.
func TestCacheWhenTheFirstGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(func(ctx context.Context, _ bool) (token, error) {
			select {
			case <-ctx.Done():
				return token{}, ctx.Err()
			case <-time.After(time.Second):
				return token{value: secret.New("token"), ends: time.Now().Add(time.Hour)}, nil
			}
		}, nil)
		ctx, giveUp := context.WithCancel(t.Context())
		first := make(chan error)
		go func() { _, err := c.get(ctx); first <- err }()
		synctest.Wait()
		time.AfterFunc(time.Millisecond, giveUp)
		if got, err := c.get(t.Context()); got != "token" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the first one: %v", err)
		}
	})
}
