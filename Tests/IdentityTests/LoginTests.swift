import APISchema
import Testing

@testable import Identity

@Suite("Logins") struct LoginTests {
    private func request(_ text: String) throws -> LoginRequest {
        try LoginRequest(body: try #require(JSONParser.parse(text).objectValue))
    }

    @Test("A request names its user by name or id, and its scope in five ways") func requests() throws {
        let identity = #""identity":{"methods":["password"],"password":{"user":{"name":"a","domain":{"id":"default"},"password":"x"}}}"#
        let byName = try request(#"{"auth":{\#(identity)}}"#)
        #expect(byName.proof == .password(user: Reference(.name("a", .id("default"))), password: "x") && byName.scope == .usual)
        let scopes: [(String, LoginRequest.WantedScope)] = [
            (#"{"project":{"id":"p"}}"#, .project(Reference(.id("p")))),
            (#"{"project":{"name":"p","domain":{"name":"Default"}}}"#, .project(Reference(.name("p", .name("Default"))))),
            (#"{"domain":{"id":"default"}}"#, .domain(.id("default"))), (#"{"domain":{"name":"Default"}}"#, .domain(.name("Default"))),
            (#"{"system":{"all":true}}"#, .system), (#""unscoped""#, .unscoped), (#"{"unscoped":{}}"#, .unscoped),
        ]
        for (text, scope) in scopes { #expect(try request(#"{"auth":{\#(identity),"scope":\#(text)}}"#).scope == scope) }
        let token = try request(#"{"auth":{"identity":{"methods":["token"],"token":{"id":"t"}}}}"#)
        #expect(token.proof == .token("t"))
    }

    @Test(
        "A request that lacks something is told what",
        arguments: [
            ("{}", 400, "auth"), (#"{"auth":{}}"#, 400, "identity"), (#"{"auth":{"identity":{}}}"#, 400, "methods"),
            (#"{"auth":{"identity":{"methods":["password"]}}}"#, 400, "user"),
            (#"{"auth":{"identity":{"methods":["password"],"password":{"user":{"id":"u"}}}}}"#, 400, "password"),
            (#"{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"u","password":"x"}}}}}"#, 400, "domain"),
            (#"{"auth":{"identity":{"methods":["token"],"token":{}}}}"#, 400, "id"),
            (#"{"auth":{"identity":{"methods":["totp"],"totp":{}}}}"#, 401, "unsupported"),
            (#"{"auth":{"identity":{"methods":["token"],"token":{"id":"t"}},"scope":{"project":{"name":"p"}}}}"#, 400, "domain"),
            (#"{"auth":{"identity":{"methods":["token"],"token":{"id":"t"}},"scope":{"a":1,"b":2}}}"#, 400, "Scope"),
            (#"{"auth":{"identity":{"methods":["token"],"token":{"id":"t"}},"scope":7}}"#, 400, "Scope"),
        ])
    func incomplete(_ body: String, _ status: Int, _ word: String) throws {
        let error = #expect(throws: IdentityError.self) { _ = try request(body) }
        #expect(error?.status == status && error?.message.contains(word) == true, "\(String(describing: error))")
    }

    @Test("Ten wrong passwords from one address block the user there, and one more may be tried every six seconds") func userAtAddress() {
        var limiter = LoginLimiter()
        for _ in 0..<LoginLimiter.userAtAddress.burst {
            #expect(limiter.wait(user: "u", address: "a", at: 1000) == nil)
            limiter.noteFailure(user: "u", address: "a", at: 1000)
        }
        #expect(limiter.wait(user: "u", address: "a", at: 1000) == 6)
        #expect(limiter.wait(user: "u", address: "a", at: 6999) == 1)
        // Others, and the same from elsewhere, are not concerned.
        #expect(limiter.wait(user: "v", address: "a", at: 1000) == nil && limiter.wait(user: "u", address: "b", at: 1000) == nil)
        #expect(limiter.wait(user: "u", address: "a", at: 7000) == nil)
        limiter.noteFailure(user: "u", address: "a", at: 7000)
        #expect(limiter.wait(user: "u", address: "a", at: 7000) == 6)
    }

    @Test("Guesses that are looked at together must be waited for afterwards") func together() {
        var limiter = LoginLimiter()
        for _ in 0..<100 { limiter.noteFailure(user: "u", address: "a", at: 0) }
        #expect(limiter.wait(user: "u", address: "a", at: 0) == 91 * 6)
    }

    @Test("Guesses from many addresses block the user, and guesses at many users block the address") func many() {
        var limiter = LoginLimiter()
        for number in 0..<LoginLimiter.user.burst { limiter.noteFailure(user: "u", address: "\(number)", at: 0) }
        #expect(limiter.wait(user: "u", address: "new", at: 0) == 1)
        for number in 0..<LoginLimiter.address.burst { limiter.noteFailure(user: "user \(number)", address: "x", at: 0) }
        #expect(limiter.wait(user: "another", address: "x", at: 0) == 1)
    }

    @Test("The memory of failures is bounded") func bounded() {
        var limiter = LoginLimiter()
        for number in 0..<LoginLimiter.maximumBuckets { limiter.noteFailure(user: "\(number)", address: "\(number)", at: 0) }
        #expect(limiter.count <= LoginLimiter.maximumBuckets)
    }
}
