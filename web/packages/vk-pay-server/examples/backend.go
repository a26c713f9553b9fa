// go run backend.go order NUMBER | quote NUMBER | serve
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

var prices = map[string]int64{"course-1": 3000} // fen

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	if otherwise == "" {
		log.Fatalf("%s is not set", name)
	}
	return otherwise
}

var client = &http.Client{
	Timeout: 30 * time.Second,
	// The functions never redirect, and the key is for them alone.
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// call sends one request. What has no reply or a 5xx is sent again: only for what the API lets you repeat.
func call(function, action string, data, reply any) error {
	body, err := json.Marshal(map[string]any{"url": action, "data": data})
	if err != nil {
		return err
	}
	for pause := 500 * time.Millisecond; ; pause *= 2 {
		again, err := send(function, body, reply)
		if err == nil || !again || pause > time.Second {
			return err
		}
		time.Sleep(pause)
	}
}

func send(function string, body []byte, reply any) (again bool, err error) {
	request, err := http.NewRequest("POST", env("PAY_URL", "")+"/"+function, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Authorization", "Bearer "+env("PAY_KEY", ""))
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return true, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return true, err
	}
	if response.StatusCode != 200 {
		return response.StatusCode >= 500, fmt.Errorf("HTTP %d: %s", response.StatusCode, text)
	}
	return false, json.Unmarshal(text, reply)
}

// createOrder answers the text of a QR code. The same number is the same order, however often it is sent.
func createOrder(number string) (string, error) {
	var reply struct {
		OrderInfo struct {
			CodeURL string `json:"codeUrl"`
		} `json:"orderInfo"`
	}
	err := call("create-payment", "pay/createPayment", map[string]any{
		"provider": "wxpay", "out_trade_no": number, "total_fee": prices["course-1"], "subject": "Course 1",
		"type": "course", "user_id": "u1", "custom": map[string]any{"course_id": "course-1"}, "needQRcode": true,
	}, &reply)
	return reply.OrderInfo.CodeURL, err
}

// quote signs what a page may order by itself, for ten minutes: a JSON Web Token, HS256.
func quote(number string) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"out_trade_no": number, "total_fee": prices["course-1"], "type": "course",
		"custom": map[string]any{"course_id": "course-1"}, "exp": time.Now().Unix() + 600,
	})
	encoded := base64.RawURLEncoding.EncodeToString
	signed := encoded([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encoded(claims)
	mac := hmac.New(sha256.New, []byte(env("QUOTE_SECRET", "")))
	mac.Write([]byte(signed))
	return signed + "." + encoded(mac.Sum(nil)), err
}

type order struct {
	number, state, course string
	fee                   int64
}

var errRefused = errors.New("wrong key, or an Idempotency-Key that is not the order's")

// openDelivery verifies a delivery. It answers the order and what to do once.
func openDelivery(body []byte, idempotencyKey string) (paid order, id string, err error) {
	// A map and no struct: names in a struct ignore case, and custom may have a payer's own "Total_Fee".
	var fields map[string]json.RawMessage
	if err = json.Unmarshal(body, &fields); err != nil {
		return
	}
	var key string
	json.Unmarshal(fields["key"], &key)
	// Digests are of one length, and compared in constant time.
	given, ours := sha256.Sum256([]byte(key)), sha256.Sum256([]byte(env("DELIVERY_KEY", "")))
	if subtle.ConstantTimeCompare(given[:], ours[:]) != 1 {
		return paid, "", errRefused
	}
	// What is not there, or of another type, stays empty.
	json.Unmarshal(fields["out_trade_no"], &paid.number)
	json.Unmarshal(fields["total_fee"], &paid.fee)
	json.Unmarshal(fields["trade_state"], &paid.state)
	json.Unmarshal(fields["course_id"], &paid.course)
	if paid.number == "" || paid.fee < 1 || (paid.state != "SUCCESS" && paid.state != "REFUND") {
		return paid, "", errors.New("no paid order")
	}
	digest := sha256.Sum256([]byte(paid.number))
	if id = hex.EncodeToString(digest[:]); id != idempotencyKey {
		return paid, "", errRefused
	}
	return paid, id, nil
}

// enrolOnce does an order once. The file stands for a row of your database, in one transaction with the work.
func enrolOnce(id string, paid order) (taken bool, err error) {
	if price, known := prices[paid.course]; !known || price != paid.fee {
		return false, nil
	}
	done := env("DONE_DIR", "done")
	if err = os.MkdirAll(done, 0o777); err != nil {
		return
	}
	file, err := os.OpenFile(filepath.Join(done, id), os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return true, nil
	} else if err != nil {
		return
	}
	fmt.Println("enrolled", paid.number)
	return true, file.Close()
}

func receive(request *http.Request) (status, code int, msg string) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, request.Body, 65536))
	if err != nil {
		return 413, 413, "too large"
	}
	paid, id, err := openDelivery(body, request.Header.Get("Idempotency-Key"))
	if errors.Is(err, errRefused) {
		return 403, 403, err.Error()
	} else if err != nil {
		return 400, 400, "not a delivery: " + err.Error()
	}
	taken, err := enrolOnce(id, paid)
	if err != nil {
		log.Print(err)
		return 500, 1, "try again"
	} else if !taken {
		return 200, 1, "not the price of the course"
	}
	return 200, 0, "ok"
}

func main() {
	var text string
	var err error
	switch os.Args[1] {
	case "order":
		text, err = createOrder(os.Args[2]) // show it as a QR code
	case "quote":
		text, err = quote(os.Args[2])
	default:
		env("DELIVERY_KEY", "")
		handler := func(response http.ResponseWriter, request *http.Request) {
			status, code, msg := receive(request)
			response.Header().Set("Content-Type", "application/json")
			response.WriteHeader(status)
			json.NewEncoder(response).Encode(map[string]any{"code": code, "msg": msg})
		}
		server := http.Server{
			Addr: "127.0.0.1:" + env("PORT", "8080"), Handler: http.HandlerFunc(handler), ReadTimeout: 10 * time.Second,
		}
		err = server.ListenAndServe()
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(text)
}
