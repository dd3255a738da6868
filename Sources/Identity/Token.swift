/// What a token says. It says it by itself, signed; what its user may do is looked up when it is used.
public struct Token: Hashable, Sendable {
    /// How its bearer proved who it is.
    public struct Methods: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        public static let password = Methods(rawValue: 1)
        public static let token = Methods(rawValue: 2)

        /// As Keystone names them.
        public var names: [String] { (contains(.password) ? ["password"] : []) + (contains(.token) ? ["token"] : []) }
    }

    public var userID: String
    /// The user's ``User/generation`` when the token was made.
    public var generation: Int
    /// Nil: unscoped.
    public var scope: Scope?
    public var methods: Methods
    /// Seconds since 1970.
    public var issuedAt: Int
    public var expiresAt: Int
    public var auditID: AuditID
    /// Of the first token of a chain in which each was had for the one before.
    public var rootAuditID: AuditID?

    public init(
        userID: String, generation: Int, scope: Scope?, methods: Methods, issuedAt: Int, expiresAt: Int, auditID: AuditID,
        rootAuditID: AuditID? = nil
    ) {
        self.userID = userID
        self.generation = generation
        self.scope = scope
        self.methods = methods
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.auditID = auditID
        self.rootAuditID = rootAuditID
    }
}

/// What logs name a token by: it tells nothing of the token itself.
public struct AuditID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt128

    public init(rawValue: UInt128) { self.rawValue = rawValue }

    public init(using generator: inout some RandomNumberGenerator) {
        rawValue = UInt128(generator.next()) << 64 | UInt128(generator.next())
    }

    /// 22 characters, as Keystone writes it.
    public var description: String { Base64.encode(withUnsafeBytes(of: rawValue.bigEndian) { Array($0) }, .urlSafe) }
}
