import Testing

@testable import Identity

@Suite("Tokens") struct TokenTests {
    private static let key = TokenKey(id: 7, secret: Array(0..<32))

    private static func token(_ scope: Scope? = .project("0123456789abcdef0123456789abcdef")) -> Token {
        Token(
            userID: "fedcba9876543210fedcba9876543210", generation: 3, scope: scope, methods: [.password, .token], issuedAt: 1_700_000_000,
            expiresAt: 1_700_003_600, auditID: AuditID(rawValue: 1), rootAuditID: AuditID(rawValue: 2))
    }

    @Test("A token says what it was made of", arguments: [nil, .project("p"), .domain("default"), .system] as [Scope?])
    func roundTrip(_ scope: Scope?) throws {
        let token = Self.token(scope)
        let signed = try #require(SignedToken(SignedToken.text(of: token, signedBy: Self.key)))
        #expect(signed.token == token && signed.keyID == 7 && signed.isSigned(by: Self.key))
    }

    /// Computed by Python's hmac and base64 over the layout that TokenCodec states.
    @Test("The text is that of its layout and of HMAC-SHA256") func vector() {
        let token = Token(
            userID: "u", generation: 0, scope: .system, methods: .password, issuedAt: 1, expiresAt: 2, auditID: AuditID(rawValue: 3))
        let text = SignedToken.text(of: token, signedBy: TokenKey(id: 1, secret: Array(repeating: 0x41, count: 32)))
        #expect(text == TokenTests.vectorText)
    }

    private static let vectorText =
        "AQAAAAEBAAAAAAAAAAEAAAAAAAAAAgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAwAAA"
        + "AAAAAAAAAAAAAAAAAABdQO2_-vFt3DZqDvCEWeQbn-wDrlZAXinhL9uvWzsyNHuHw"

    @Test("A token without a chain has no root") func noRoot() throws {
        var token = Self.token()
        token.rootAuditID = nil
        #expect(SignedToken(SignedToken.text(of: token, signedBy: Self.key))?.token.rootAuditID == nil)
    }

    @Test("A token that was changed anywhere is not signed") func forgery() throws {
        let text = SignedToken.text(of: Self.token(), signedBy: Self.key)
        let bytes = try #require(Base64.decode(text, .urlSafe))
        for position in bytes.indices {
            for bit in 0..<8 {
                var changed = bytes
                changed[position] ^= 1 << bit
                let forged = SignedToken(Base64.encode(changed, .urlSafe))
                #expect(forged?.isSigned(by: Self.key) != true, "byte \(position), bit \(bit)")
            }
        }
    }

    @Test("A token is signed by its own key only") func foreignKey() throws {
        let text = SignedToken.text(of: Self.token(), signedBy: Self.key)
        let signed = try #require(SignedToken(text))
        #expect(!signed.isSigned(by: TokenKey(id: 7, secret: Array(1..<33))))
        #expect(!signed.isSigned(by: TokenKey(id: 8, secret: Array(0..<32))))
    }

    @Test("What is no token is none, however long") func garbage() {
        let text = SignedToken.text(of: Self.token(), signedBy: Self.key)
        for bad in ["", "a", "not a token", text + "A", String(text.dropLast()), String(text.dropFirst(4)), text + "=", "é" + text] {
            #expect(SignedToken(bad)?.isSigned(by: Self.key) != true, "\(bad)")
        }
        #expect(SignedToken(String(repeating: "A", count: 1_000_000)) == nil)
        for count in 0..<200 { _ = SignedToken(String(repeating: "A", count: count)) }
    }

    @Test("A key survives being stored") func keyText() throws {
        let key = try #require(TokenKey(id: 7, text: TokenKey.text(of: Array(0..<32))))
        #expect(try #require(SignedToken(SignedToken.text(of: Self.token(), signedBy: Self.key))).isSigned(by: key))
        #expect(TokenKey(id: 7, text: "AAAA") == nil)
    }

    @Test("An audit id has 22 characters") func auditID() {
        #expect(AuditID(rawValue: 0).description == "AAAAAAAAAAAAAAAAAAAAAA")
        #expect(AuditID(rawValue: .max).description == "_____________________w")
    }

    @Test("The agents' secret is compared as a whole") func agentSecret() throws {
        let secret = try #require(AgentSecret("0123456789abcdef"))
        #expect(secret.isPresented(by: "Bearer 0123456789abcdef") && secret.isPresented(by: "bearer 0123456789abcdef"))
        for other in [
            "", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "Basic 0123456789abcdef", "0123456789abcdef",
        ] {
            #expect(!secret.isPresented(by: other), "\(other)")
        }
        #expect(AgentSecret("short") == nil)
    }
}
