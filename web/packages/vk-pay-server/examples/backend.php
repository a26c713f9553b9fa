<?php
// php backend.php order NUMBER | quote NUMBER
// php -S 127.0.0.1:8080 backend.php
declare(strict_types=1);

const PRICES = ['course-1' => 3000]; // fen

final class Refused extends Exception {}

function env(string $name, ?string $default = null): string
{
    $value = getenv($name);
    return $value !== false && $value !== '' ? $value : $default ?? throw new RuntimeException("$name is not set");
}

/** Sends one request. What has no reply or a 5xx is sent again: only for what the API lets you repeat. */
function call(string $function, string $action, array $data): array
{
    $http = [
        'method' => 'POST',
        'header' => ['authorization: Bearer ' . env('PAY_KEY'), 'content-type: application/json'],
        'content' => json_encode(['url' => $action, 'data' => $data], JSON_THROW_ON_ERROR),
        'timeout' => 30,
        'ignore_errors' => true,
        'follow_location' => 0, // the functions never redirect, and the key is for them alone
    ];
    foreach ([500, 1000, null] as $pause) {
        $text = @file_get_contents(env('PAY_URL') . "/$function", false, stream_context_create(['http' => $http]));
        $status = $text === false ? 0 : (int) explode(' ', $http_response_header[0])[1];
        $reply = $text === false ? null : json_decode($text, true);
        if ($status === 200 && is_array($reply) && ($reply['code'] ?? null) === 0) {
            return $reply;
        }
        if (($status !== 0 && $status < 500) || $pause === null) {
            throw new RuntimeException("HTTP $status: $text");
        }
        usleep($pause * 1000);
    }
}

/** The same number is the same order, however often it is sent. */
function create_order(string $number): array
{
    return call('create-payment', 'pay/createPayment', [
        'provider' => 'wxpay', 'out_trade_no' => $number, 'total_fee' => PRICES['course-1'], 'subject' => 'Course 1',
        'type' => 'course', 'user_id' => 'u1', 'custom' => ['course_id' => 'course-1'], 'needQRcode' => true,
    ]);
}

/** Signs what a page may order by itself, for ten minutes: a JSON Web Token, HS256. An empty custom is (object) []. */
function quote(string $number): string
{
    $encoded = fn (string $part): string => rtrim(strtr(base64_encode($part), '+/', '-_'), '=');
    $claims = ['out_trade_no' => $number, 'total_fee' => PRICES['course-1'], 'type' => 'course',
        'custom' => ['course_id' => 'course-1'], 'exp' => time() + 600];
    $signed = $encoded('{"alg":"HS256","typ":"JWT"}') . '.' . $encoded(json_encode($claims, JSON_THROW_ON_ERROR));
    return $signed . '.' . $encoded(hash_hmac('sha256', $signed, env('QUOTE_SECRET'), true));
}

/** Verifies a delivery. Answers the order and what to do once. */
function open_delivery(string $body, string $idempotencyKey): array
{
    $order = json_decode($body, true, 64, JSON_THROW_ON_ERROR);
    $key = is_array($order) ? $order['key'] ?? null : null;
    // In constant time.
    if (!is_string($key) || !hash_equals(env('DELIVERY_KEY'), $key)) {
        throw new Refused('wrong key');
    }
    unset($order['key']);
    $number = $order['out_trade_no'] ?? null;
    $paid = in_array($order['trade_state'] ?? null, ['SUCCESS', 'REFUND'], true);
    if (!is_string($number) || !is_int($order['total_fee'] ?? null) || !$paid) {
        throw new JsonException('no paid order');
    }
    $expected = hash('sha256', $number);
    if ($idempotencyKey !== $expected) {
        throw new Refused("Idempotency-Key is not the order's");
    }
    return [$order, $expected];
}

/** Does an order once. The file stands for a row of your database, in one transaction with the work. */
function enrol_once(string $key, array $order): bool
{
    if ((PRICES[$order['course_id'] ?? ''] ?? null) !== $order['total_fee']) {
        return false;
    }
    $done = env('DONE_DIR', 'done');
    @mkdir($done, 0777, true);
    if (@fopen("$done/$key", 'x') !== false) {
        file_put_contents('php://stdout', "enrolled {$order['out_trade_no']}\n");
    } elseif (!file_exists("$done/$key")) {
        throw new RuntimeException("$done cannot be written");
    }
    return true;
}

function receive(): array
{
    try {
        $body = file_get_contents('php://input', false, null, 0, 65537);
        if ($body === false || strlen($body) > 65536) {
            return [413, 413, 'too large'];
        }
        [$order, $key] = open_delivery($body, $_SERVER['HTTP_IDEMPOTENCY_KEY'] ?? '');
        return enrol_once($key, $order) ? [200, 0, 'ok'] : [200, 1, 'not the price of the course'];
    } catch (Refused $error) {
        return [403, 403, $error->getMessage()];
    } catch (JsonException $error) {
        return [400, 400, 'not a delivery: ' . $error->getMessage()];
    } catch (Throwable $error) {
        error_log((string) $error);
        return [500, 1, 'try again'];
    }
}

if (PHP_SAPI !== 'cli') {
    [$status, $code, $msg] = receive();
    http_response_code($status);
    header('content-type: application/json');
    echo json_encode(['code' => $code, 'msg' => $msg]);
} elseif (($argv[1] ?? '') === 'order') {
    echo create_order($argv[2])['orderInfo']['codeUrl'], "\n"; // show it as a QR code
} else {
    echo quote($argv[2]), "\n";
}
