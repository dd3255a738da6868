// The values travel as the text that a person would write. A text that does not parse is a decoding error.

extension IPAddress: Codable {
    public init(from decoder: any Decoder) throws { self = try decodeText(from: decoder, as: "an IP address", IPAddress.init) }
    public func encode(to encoder: any Encoder) throws { try encodeText(description, to: encoder) }
}

extension IPPrefix: Codable {
    public init(from decoder: any Decoder) throws { self = try decodeText(from: decoder, as: "a CIDR", IPPrefix.init) }
    public func encode(to encoder: any Encoder) throws { try encodeText(description, to: encoder) }
}

extension InterfaceAddress: Codable {
    public init(from decoder: any Decoder) throws {
        self = try decodeText(from: decoder, as: "an address with a prefix length", InterfaceAddress.init)
    }
    public func encode(to encoder: any Encoder) throws { try encodeText(description, to: encoder) }
}

extension MACAddress: Codable {
    public init(from decoder: any Decoder) throws { self = try decodeText(from: decoder, as: "a MAC address", MACAddress.init) }
    public func encode(to encoder: any Encoder) throws { try encodeText(description, to: encoder) }
}

private func decodeText<Value>(from decoder: any Decoder, as meaning: String, _ parse: (String) -> Value?) throws -> Value {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let value = parse(text) else {
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not \(meaning)")
    }
    return value
}

private func encodeText(_ text: String, to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
}
