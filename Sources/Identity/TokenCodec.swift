/// A token as text: base64 (safe in URLs) of its content and a signature.
///
///     version 1 │ key 4 │ methods 1 │ issued 8 │ expires 8 │ generation 8 │ audit 16 │ root audit 16 │ user 1+n │ scope 1 (+ 1+n) │ HMAC 32
///
/// Numbers are big-endian; a missing root audit id is zero.
public struct SignedToken: Sendable {
    static let version: UInt8 = 1
    /// No token is longer; longer texts are not looked at.
    public static let maximumTextBytes = 1024

    public let token: Token
    /// Which key it claims to be signed with.
    public let keyID: Int
    private let content: [UInt8]
    private let signature: [UInt8]

    /// Reads a text; nil when it is no token. The signature is yet to be checked: see ``isSigned(by:)``.
    public init?(_ text: String) {
        guard text.utf8.count <= Self.maximumTextBytes, let bytes = Base64.decode(text, .urlSafe), bytes.count > TokenKey.signatureBytes
        else { return nil }
        content = Array(bytes.dropLast(TokenKey.signatureBytes))
        signature = Array(bytes.suffix(TokenKey.signatureBytes))
        var reader = ByteReader(bytes: content[...])
        guard reader.byte() == Self.version, let key = reader.integer(bytes: 4), let token = Token(&reader), reader.isAtEnd else {
            return nil
        }
        keyID = key
        self.token = token
    }

    public func isSigned(by key: TokenKey) -> Bool { key.id == keyID && key.isSignature(signature, of: content) }

    /// The text of a token.
    public static func text(of token: Token, signedBy key: TokenKey) -> String {
        var content: [UInt8] = [version]
        content.append(integer: key.id, bytes: 4)
        token.append(to: &content)
        return Base64.encode(content + key.signature(of: content), .urlSafe)
    }
}

extension Token {
    fileprivate func append(to content: inout [UInt8]) {
        content.append(methods.rawValue)
        content.append(integer: issuedAt, bytes: 8)
        content.append(integer: expiresAt, bytes: 8)
        content.append(integer: generation, bytes: 8)
        for audit in [auditID.rawValue, rootAuditID?.rawValue ?? 0] {
            withUnsafeBytes(of: audit.bigEndian) { content.append(contentsOf: $0) }
        }
        content.append(text: userID)
        switch scope {
        case nil: content.append(0)
        case .project(let id)?:
            content.append(1)
            content.append(text: id)
        case .domain(let id)?:
            content.append(2)
            content.append(text: id)
        case .system?: content.append(3)
        }
    }

    fileprivate init?(_ reader: inout ByteReader) {
        guard let methods = reader.byte(), let issuedAt = reader.integer(bytes: 8), let expiresAt = reader.integer(bytes: 8),
            let generation = reader.integer(bytes: 8), let audit = reader.number(), let root = reader.number(), let userID = reader.text(),
            let scopeKind = reader.byte()
        else { return nil }
        var scope: Scope?
        switch scopeKind {
        case 0: scope = nil
        case 1, 2:
            guard let id = reader.text() else { return nil }
            scope = scopeKind == 1 ? .project(id) : .domain(id)
        case 3: scope = .system
        default: return nil
        }
        self.init(
            userID: userID, generation: generation, scope: scope, methods: Methods(rawValue: methods), issuedAt: issuedAt,
            expiresAt: expiresAt, auditID: AuditID(rawValue: audit), rootAuditID: root == 0 ? nil : AuditID(rawValue: root))
    }
}

/// Takes fields from the front of bytes; nil when there are too few.
private struct ByteReader {
    var bytes: ArraySlice<UInt8>

    var isAtEnd: Bool { bytes.isEmpty }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard bytes.count >= count else { return nil }
        defer { bytes = bytes.dropFirst(count) }
        return bytes.prefix(count)
    }

    mutating func byte() -> UInt8? { bytes.popFirst() }

    mutating func integer(bytes count: Int) -> Int? {
        guard let field = take(count) else { return nil }
        return Int(exactly: field.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    mutating func number() -> UInt128? { take(16)?.reduce(UInt128(0)) { $0 << 8 | UInt128($1) } }

    mutating func text() -> String? {
        guard let count = byte(), let field = take(Int(count)) else { return nil }
        return String(validating: field, as: UTF8.self)
    }
}

extension [UInt8] {
    fileprivate mutating func append(integer: Int, bytes count: Int) {
        precondition(integer >= 0 && (count == 8 || integer < 1 << (8 * count)), "times, generations and keys are counted from zero")
        for position in (0..<count).reversed() { append(UInt8(truncatingIfNeeded: integer >> (8 * position))) }
    }

    fileprivate mutating func append(text: String) {
        precondition(text.utf8.count <= 255, "ids are short")
        append(UInt8(text.utf8.count))
        append(contentsOf: text.utf8)
    }
}
