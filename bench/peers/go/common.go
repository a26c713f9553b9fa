// What both Go functions need: the Runtime API's loop, the configuration, the table, WeChat Pay's signatures.
package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

type node struct {
	AppID       string `json:"appId"`
	MchID       string `json:"mchId"`
	V3Key       string `json:"v3Key"`
	Certificate string `json:"appCertContent"`
	PrivateKey  string `json:"appPrivateKeyContent"`
	PublicKey   string `json:"wxpayPublicKeyContent"`
	PublicKeyID string `json:"wxpayPublicKeyId"`
	APIBase     string `json:"apiBase"`
}

type document struct {
	NotifyURL string `json:"notifyUrl"`
	Auth      struct {
		Keys map[string]string `json:"keys"`
	} `json:"auth"`
	Wxpay map[string]json.RawMessage `json:"wxpay"`
}

type function struct {
	config   document
	node     node
	private  *rsa.PrivateKey
	provider *rsa.PublicKey
	serial   string
	table    *string
	dynamodb *dynamodb.Client
	http     *http.Client
}

type event struct {
	Body    string            `json:"body"`
	Headers map[string]string `json:"headers"`
}

type reply struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers,omitempty"`
	Body       string            `json:"body"`
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func start() *function {
	f := &function{table: aws.String(os.Getenv("PAY_TABLE")), http: &http.Client{Timeout: 10 * time.Second}}
	must(json.Unmarshal([]byte(os.Getenv("PAY_CONFIG")), &f.config))
	must(json.Unmarshal(f.config.Wxpay["h5"], &f.node))
	block, _ := pem.Decode([]byte(f.node.PrivateKey))
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	must(err)
	f.private = private.(*rsa.PrivateKey)
	block, _ = pem.Decode([]byte(f.node.PublicKey))
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	must(err)
	f.provider = public.(*rsa.PublicKey)
	block, _ = pem.Decode([]byte(f.node.Certificate))
	certificate, err := x509.ParseCertificate(block.Bytes)
	must(err)
	if !f.private.PublicKey.Equal(certificate.PublicKey) {
		panic("the private key does not match the certificate")
	}
	f.serial = strings.ToUpper(hex.EncodeToString(certificate.SerialNumber.Bytes()))
	f.dynamodb = dynamodb.New(dynamodb.Options{
		Region:           os.Getenv("AWS_REGION"),
		EndpointResolver: dynamodb.EndpointResolverFromURL(os.Getenv("AWS_ENDPOINT_URL_DYNAMODB")),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     os.Getenv("AWS_ACCESS_KEY_ID"),
				SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
				SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
			}, nil
		}),
	})
	return f
}

// Asks the runtime for work, for ever.
func serve(handle func(event) reply) {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	client := &http.Client{}
	for {
		next, err := client.Get(base + "next")
		must(err)
		id := next.Header.Get("lambda-runtime-aws-request-id")
		var e event
		must(json.NewDecoder(next.Body).Decode(&e))
		io.Copy(io.Discard, next.Body)
		next.Body.Close()
		body, err := json.Marshal(handle(e))
		must(err)
		posted, err := client.Post(base+id+"/response", "application/json", bytes.NewReader(body))
		must(err)
		io.Copy(io.Discard, posted.Body)
		posted.Body.Close()
	}
}

func (f *function) sign(message string) string {
	digest := sha256.Sum256([]byte(message))
	signature, err := rsa.SignPKCS1v15(rand.Reader, f.private, crypto.SHA256, digest[:])
	must(err)
	return base64.StdEncoding.EncodeToString(signature)
}

// Verifies WeChat Pay's signature over a message's raw bytes, then its age.
func (f *function) verify(timestamp, nonce, serial, signature, body string) error {
	if serial != f.node.PublicKeyID {
		return errors.New("another key")
	}
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(timestamp + "\n" + nonce + "\n" + body + "\n"))
	if err := rsa.VerifyPKCS1v15(f.provider, crypto.SHA256, digest[:], raw); err != nil {
		return err
	}
	at, err := strconv.ParseInt(timestamp, 10, 64)
	if age := time.Now().Unix() - at; err != nil || age > 300 || age < -300 {
		return errors.New("stale")
	}
	return nil
}

func text(value string) types.AttributeValue {
	return &types.AttributeValueMemberS{Value: value}
}

func number(value int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(value, 10)}
}

func key(pk, sk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": text(pk), "sk": text(sk)}
}

func (f *function) order(no string) map[string]types.AttributeValue {
	answer, err := f.dynamodb.GetItem(context.Background(), &dynamodb.GetItemInput{
		TableName: f.table, Key: key("O#"+no, "O"), ConsistentRead: aws.Bool(true),
	})
	must(err)
	return answer.Item
}

func (f *function) insert(item map[string]types.AttributeValue) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: f.table, Item: item, ConditionExpression: aws.String("attribute_not_exists(pk)"),
	}}
}

func (f *function) history(no, what string) types.TransactWriteItem {
	item := key("O#"+no, fmt.Sprintf("H#%013d#%s", time.Now().UnixMilli(), what))
	item["kind"] = text("history")
	item["what"] = text(what)
	item["at"] = number(time.Now().UnixMilli())
	return f.insert(item)
}

func (f *function) commit(writes ...types.TransactWriteItem) {
	_, err := f.dynamodb.TransactWriteItems(context.Background(), &dynamodb.TransactWriteItemsInput{TransactItems: writes})
	must(err)
}
