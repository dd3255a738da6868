import Crypto

/// What tokens are signed with (HMAC-SHA256). The newest key signs; older ones are kept while tokens may still carry their signature.
public struct TokenKey: Sendable {
    public static let secretBytes = 32
    static let signatureBytes = 32
    /// How long a key is kept after it was replaced. No token lives longer.
    public static let retentionSeconds = 2 * 86_400

    /// 1, 2, 3… in the order in which they were made.
    public let id: Int
    private let secret: SymmetricKey

    public init(id: Int, secret: [UInt8]) {
        precondition(secret.count == Self.secretBytes, "a key has \(Self.secretBytes) bytes")
        self.id = id
        self.secret = SymmetricKey(data: secret)
    }

    /// Reads the text that ``text(of:)`` made; nil when it is damaged.
    public init?(id: Int, text: String) {
        guard let secret = Base64.decode(text, .usual), secret.count == Self.secretBytes else { return nil }
        self.init(id: id, secret: secret)
    }

    /// A secret as the store keeps it.
    public static func text(of secret: [UInt8]) -> String { Base64.encode(secret, .usual) }

    func signature(of content: [UInt8]) -> [UInt8] { Array(HMAC<SHA256>.authenticationCode(for: content, using: secret)) }

    /// In constant time.
    func isSignature(_ signature: [UInt8], of content: [UInt8]) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: content, using: secret)
    }
}
