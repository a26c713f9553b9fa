package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

type callback struct {
	Resource struct {
		Ciphertext     string `json:"ciphertext"`
		AssociatedData string `json:"associated_data"`
		Nonce          string `json:"nonce"`
	} `json:"resource"`
}

type payment struct {
	AppID         string `json:"appid"`
	MchID         string `json:"mchid"`
	OutTradeNo    string `json:"out_trade_no"`
	TransactionID string `json:"transaction_id"`
	TradeState    string `json:"trade_state"`
	Amount        struct {
		Total int64 `json:"total"`
	} `json:"amount"`
}

// A payment callback: verify, decrypt, compare, one transaction.
func (f *function) notify(e event) reply {
	h := e.Headers
	if err := f.verify(h["wechatpay-timestamp"], h["wechatpay-nonce"], h["wechatpay-serial"], h["wechatpay-signature"], e.Body); err != nil {
		return reply{StatusCode: 401}
	}
	var c callback
	must(json.Unmarshal([]byte(e.Body), &c))
	sealed, err := base64.StdEncoding.DecodeString(c.Resource.Ciphertext)
	must(err)
	block, err := aes.NewCipher([]byte(f.node.V3Key))
	must(err)
	gcm, err := cipher.NewGCM(block)
	must(err)
	plain, err := gcm.Open(nil, []byte(c.Resource.Nonce), sealed, []byte(c.Resource.AssociatedData))
	must(err)
	var p payment
	must(json.Unmarshal(plain, &p))
	if p.MchID != f.node.MchID || p.AppID != f.node.AppID || p.TradeState != "SUCCESS" {
		return reply{StatusCode: 400}
	}
	order := f.order(p.OutTradeNo)
	total, ok := order["total_fee"].(*types.AttributeValueMemberN)
	state, is := order["trade_state"].(*types.AttributeValueMemberS)
	if !ok || !is || total.Value != number(p.Amount.Total).(*types.AttributeValueMemberN).Value || state.Value != "NOTPAY" {
		return reply{StatusCode: 400}
	}
	claim := key("T#wxpay#"+p.TransactionID, "T")
	claim["kind"] = text("transaction")
	claim["out_trade_no"] = text(p.OutTradeNo)
	f.commit(
		types.TransactWriteItem{Update: &types.Update{
			TableName:           f.table,
			Key:                 key("O#"+p.OutTradeNo, "O"),
			UpdateExpression:    aws.String("SET trade_state = :paid, transaction_id = :id ADD version :one REMOVE due, due_shard"),
			ConditionExpression: aws.String("trade_state = :unpaid AND total_fee = :total"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":paid": text("SUCCESS"), ":unpaid": text("NOTPAY"), ":id": text(p.TransactionID),
				":total": number(p.Amount.Total), ":one": number(1),
			},
		}},
		f.insert(claim),
		f.history(p.OutTradeNo, "paid"),
	)
	return reply{StatusCode: 204}
}

func main() {
	f := start()
	serve(f.notify)
}
