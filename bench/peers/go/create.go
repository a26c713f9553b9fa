package main

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

type request struct {
	OutTradeNo string `json:"out_trade_no"`
	TotalFee   int64  `json:"total_fee"`
	Subject    string `json:"subject"`
	Type       string `json:"type"`
	UserID     string `json:"user_id"`
}

// An order by QR code: who calls, is the number free, the order, the signed request, its parameters.
func (f *function) create(e event) reply {
	given := strings.TrimPrefix(e.Headers["authorization"], "Bearer ")
	known := false
	for _, key := range f.config.Auth.Keys {
		known = known || hmac.Equal([]byte(given), []byte(key))
	}
	if !known {
		return reply{StatusCode: 401}
	}
	var r request
	must(json.Unmarshal([]byte(e.Body), &r))
	if len(f.order(r.OutTradeNo)) > 0 {
		return reply{StatusCode: 409}
	}
	now := time.Now()
	order := key("O#"+r.OutTradeNo, "O")
	for name, value := range map[string]string{
		"kind": "order", "out_trade_no": r.OutTradeNo, "subject": r.Subject, "type": r.Type, "user_id": r.UserID,
		"trade_state": "NOTPAY", "provider": "wxpay", "pay_type": "wxpay_h5", "list_key": "user#" + r.UserID, "due_shard": "0",
	} {
		order[name] = text(value)
	}
	order["total_fee"] = number(r.TotalFee)
	order["create_date"] = number(now.UnixMilli())
	order["list_date"] = number(now.UnixMilli())
	order["due"] = number(now.UnixMilli() + 5000)
	f.commit(f.insert(order), f.history(r.OutTradeNo, "created"))

	url := f.codeURL(r, now)
	parameters := key("O#"+r.OutTradeNo, "P#1")
	parameters["kind"] = text("parameters")
	parameters["code_url"] = text(url)
	f.commit(
		types.TransactWriteItem{Update: &types.Update{
			TableName:           f.table,
			Key:                 key("O#"+r.OutTradeNo, "O"),
			UpdateExpression:    aws.String("SET fresh_until = :until ADD version :one"),
			ConditionExpression: aws.String("trade_state = :unpaid"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":unpaid": text("NOTPAY"), ":until": number(now.Add(2 * time.Hour).UnixMilli()), ":one": number(1),
			},
		}},
		f.history(r.OutTradeNo, "parameters"),
		types.TransactWriteItem{Put: &types.Put{TableName: f.table, Item: parameters}},
	)
	answer, err := json.Marshal(map[string]any{
		"code": 0, "out_trade_no": r.OutTradeNo, "total_fee": r.TotalFee, "orderInfo": map[string]string{"codeUrl": url},
	})
	must(err)
	return reply{StatusCode: 200, Headers: map[string]string{"content-type": "application/json"}, Body: string(answer)}
}

// Makes the order at WeChat Pay and verifies its answer.
func (f *function) codeURL(r request, now time.Time) string {
	const path = "/v3/pay/transactions/native"
	body, err := json.Marshal(map[string]any{
		"appid": f.node.AppID, "mchid": f.node.MchID, "description": r.Subject, "out_trade_no": r.OutTradeNo,
		"time_expire": now.Add(2 * time.Hour).Format("2006-01-02T15:04:05Z07:00"),
		"notify_url":  f.config.NotifyURL + "/pay-notify/wxpay/default",
		"amount":      map[string]any{"total": r.TotalFee, "currency": "CNY"},
	})
	must(err)
	random := make([]byte, 16)
	rand.Read(random)
	nonce := strings.ToUpper(hex.EncodeToString(random))
	timestamp := fmt.Sprint(now.Unix())
	signature := f.sign("POST\n" + path + "\n" + timestamp + "\n" + nonce + "\n" + string(body) + "\n")
	post, err := http.NewRequest("POST", f.node.APIBase+path, strings.NewReader(string(body)))
	must(err)
	post.Header.Set("authorization", fmt.Sprintf(
		`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",signature="%s",timestamp="%s",serial_no="%s"`,
		f.node.MchID, nonce, signature, timestamp, f.serial))
	post.Header.Set("accept", "application/json")
	post.Header.Set("content-type", "application/json")
	post.Header.Set("user-agent", "bench")
	post.Header.Set("wechatpay-serial", f.node.PublicKeyID)
	answer, err := f.http.Do(post)
	must(err)
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	must(err)
	h := answer.Header
	must(f.verify(h.Get("wechatpay-timestamp"), h.Get("wechatpay-nonce"), h.Get("wechatpay-serial"), h.Get("wechatpay-signature"), string(read)))
	var made struct {
		CodeURL string `json:"code_url"`
	}
	must(json.Unmarshal(read, &made))
	return made.CodeURL
}

func main() {
	f := start()
	serve(f.create)
}
