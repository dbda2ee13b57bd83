<?php
// Plays a PHP programmer: reads [contract, operation, values] from a JSON file, makes each message anew from plain
// values by a typed call of SoapClient, and prints what would have gone over the wire, one JSON line each.
// Usage: php client.php CALLS.json

final class Recorder extends SoapClient
{
    public string $sent = '';

    public function __doRequest(
        string $request, string $location, string $action, int $version, bool $oneWay = false
    ): ?string {
        $this->sent = $request;
        throw new RuntimeException('recorded');
    }
}

/** The names in "Ontvangstbevestiging Kennisgeving(Kennisgeving $parameters)". */
function operations(SoapClient $client): array
{
    return array_map(static fn (string $one): string => preg_replace('/^.*? (\w+)\(.*$/', '$1', $one),
        $client->__getFunctions());
}

/** PHP's own type for xs:base64Binary is the octets themselves. */
function native(mixed $value): mixed
{
    if (!is_array($value)) {
        return $value;
    }
    return isset($value['base64']) ? base64_decode($value['base64'], true) : array_map(native(...), $value);
}

foreach (json_decode(file_get_contents($argv[1]), true, flags: JSON_THROW_ON_ERROR) as [$contract, $operation, $values]) {
    try {
        $client = new Recorder($contract, ['cache_wsdl' => WSDL_CACHE_NONE, 'exceptions' => true]);
        $line = ['operations' => operations($client)];
        try {
            $client->__soapCall($operation, [native($values)]);
        } catch (RuntimeException) {
            $line['sent'] = $client->sent;
        }
    } catch (Throwable $error) {
        $line = ['error' => $error->getMessage()];
    }
    echo json_encode($line, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES), "\n";
}
