import AccessPolicy
import HTTPTypes
import Logging
import NetworkModel
import TestSupport
import Testing

@testable import ControllerServer

@Suite("Authentication by a Keystone", .timeLimit(.minutes(15)))
struct KeystoneAuthenticationTests {
    /// The outcome of one request.
    private enum Outcome: Equatable {
        case caller(Caller)
        case unauthorized
        case unavailable

        var userID: String? {
            guard case .caller(let caller) = self else { return nil }
            return caller.userID
        }
    }

    private struct Client: Sendable {
        let authentication: KeystoneAuthentication

        func ask(_ token: String?, service: String? = nil) async -> Outcome {
            var headers = HTTPFields()
            if let token { headers[.authToken] = token }
            if let service { headers[.serviceToken] = service }
            do throws(AuthenticationFailure) {
                return .caller(try await authentication.caller(of: headers))
            } catch {
                switch error {
                case .unauthorized: return .unauthorized
                case .unavailable: return .unavailable
                }
            }
        }
    }

    private func withKeystone(
        password: String = RecordingKeystone.password, _ body: @Sendable @escaping (RecordingKeystone, Client) async throws -> Void
    ) async throws {
        try await RecordingKeystone.run { keystone, url in
            var configuration = KeystoneConfiguration(url: url, user: "neutron", password: password)
            // All tests begin at once: on a busy machine an answer takes its time, and what is asked again is counted.
            (configuration.connectSeconds, configuration.answerSeconds) = (900, 900)
            let authentication = KeystoneAuthentication(configuration: configuration, logger: .quiet, now: { keystone.clock.now })
            do {
                try await body(keystone, Client(authentication: authentication))
            } catch {
                try await authentication.close()
                throw error
            }
            try await authentication.close()
        }
    }

    @Test("A token's user, roles and scope make the caller")
    func callers() async throws {
        try await withKeystone { keystone, client in
            keystone.add("member", roles: ["Member", "reader"])
            keystone.add("admin", roles: ["admin"])
            keystone.add("system", roles: ["reader"], scope: ["system": ["all": true]])
            keystone.add("domain", roles: ["manager"], scope: ["domain": ["id": "d1"]])
            #expect(
                await client.ask("member")
                    == .caller(Caller(userID: "user of member", projectID: "p1", isAdmin: false, roles: ["member", "reader"])))
            #expect(
                await client.ask("admin")
                    == .caller(Caller(userID: "user of admin", projectID: "p1", isAdmin: true, roles: ["admin"])))
            #expect(
                await client.ask("system")
                    == .caller(
                        Caller(userID: "user of system", projectID: "", isAdmin: false, roles: ["reader"], isSystemScoped: true)))
            #expect(
                await client.ask("domain")
                    == .caller(Caller(userID: "user of domain", projectID: "", isAdmin: false, roles: ["manager"], domainID: "d1")))
            keystone.add("other", roles: ["admin"], scope: ["project": ["id": "p2"], "is_admin_project": false])
            let other = Caller(userID: "user of other", projectID: "p2", isAdmin: true, roles: ["admin"], isAdminProject: false)
            #expect(await client.ask("other") == .caller(other))
        }
    }

    @Test("Requests without a token, and with what cannot be one, are refused without asking Keystone")
    func malformed() async throws {
        try await withKeystone { keystone, client in
            for token in [nil, "", "two words", "tök", String(repeating: "a", count: 8193)] {
                #expect(await client.ask(token) == .unauthorized, "\(token ?? "none")")
            }
            #expect(keystone.validations.isEmpty && keystone.logins == 0)
        }
    }

    @Test("A valid token is asked for once in five minutes, an invalid one once in thirty seconds")
    func cache() async throws {
        try await withKeystone { keystone, client in
            keystone.add("good")
            for _ in 0..<3 {
                #expect(await client.ask("good").userID == "user of good")
                #expect(await client.ask("bad") == .unauthorized)
            }
            #expect(keystone.validations.map(\.token) == ["good", "bad"])
            keystone.clock.advance(29)
            #expect(await client.ask("bad") == .unauthorized)
            #expect(keystone.validations.count == 2)
            keystone.clock.advance(1)
            #expect(await client.ask("bad") == .unauthorized)
            #expect(keystone.validations.count == 3)
            keystone.clock.advance(269)
            #expect(await client.ask("good").userID != nil)
            #expect(keystone.validations.count == 3)
            keystone.clock.advance(1)
            #expect(await client.ask("good").userID != nil)
            #expect(keystone.validations.count == 4)
            // A clock that was set back makes nothing live longer.
            keystone.clock.advance(-100)
            #expect(await client.ask("good").userID != nil)
            #expect(keystone.validations.count == 5)
        }
    }

    @Test("A token that expires is refused at once, cached or not")
    func expiry() async throws {
        try await withKeystone { keystone, client in
            keystone.add("short", lifetime: 60)
            #expect(await client.ask("short").userID != nil)
            keystone.clock.advance(59)
            #expect(await client.ask("short").userID != nil)
            keystone.clock.advance(1)
            #expect(await client.ask("short") == .unauthorized)
            #expect(keystone.validations.count == 1)
        }
    }

    @Test("A service may pass on a user's token that has expired; others may not, and an invalid service token is refused")
    func serviceTokens() async throws {
        try await withKeystone { keystone, client in
            keystone.add("old", lifetime: -10)
            keystone.add("nova", roles: ["service"])
            keystone.add("somebody", roles: ["member"])
            #expect(await client.ask("old") == .unauthorized)
            #expect(await client.ask("old", service: "somebody") == .unauthorized)
            #expect(await client.ask("old", service: "nova").userID == "user of old")
            #expect(await client.ask("old", service: "forged") == .unauthorized)
            #expect(await client.ask("forged", service: "nova") == .unauthorized)
            #expect(await client.ask(nil, service: "nova") == .unauthorized)
            // That a service passed it on makes it valid for nobody else.
            #expect(await client.ask("old") == .unauthorized)
            #expect(keystone.validations.filter(\.allowsExpired).map(\.token) == ["old", "forged"])
        }
    }

    @Test("Requests that come together with one unknown token make one validation")
    func sharing() async throws {
        try await withKeystone { keystone, client in
            keystone.add("busy")
            let (gate, opener) = AsyncStream.makeStream(of: Void.self)
            keystone.hold(until: gate)
            try await withThrowingTaskGroup(of: Outcome.self) { group in
                for _ in 0..<50 { group.addTask { await client.ask("busy") } }
                #expect(await poll { !keystone.validations.isEmpty })
                opener.finish()
                for try await outcome in group { #expect(outcome.userID == "user of busy") }
            }
            #expect(keystone.validations.count == 1 && keystone.logins == 1)
        }
    }

    @Test("A request that goes away while its token is validated takes nothing from the others")
    func cancellation() async throws {
        try await withKeystone { keystone, client in
            keystone.add("shared")
            let (gate, opener) = AsyncStream.makeStream(of: Void.self)
            keystone.hold(until: gate)
            let first = Task { await client.ask("shared") }
            #expect(await poll { !keystone.validations.isEmpty })
            let second = Task { await client.ask("shared") }
            first.cancel()
            opener.finish()
            #expect(await second.value.userID == "user of shared")
            #expect(keystone.validations.count == 1)
        }
    }

    @Test("The server's own token is renewed before it expires, and when Keystone refuses it")
    func ownToken() async throws {
        try await withKeystone { keystone, client in
            for name in ["a", "b", "c", "d"] { keystone.add(name, lifetime: 86_400) }
            #expect(await client.ask("a").userID != nil)
            keystone.clock.advance(3600 - 61)
            #expect(await client.ask("b").userID != nil)
            #expect(keystone.logins == 1)
            keystone.clock.advance(1)
            #expect(await client.ask("c").userID != nil)
            #expect(keystone.logins == 2)
            keystone.revokeOwn()
            #expect(await client.ask("d").userID != nil)
            #expect(keystone.logins == 3)
            #expect(keystone.validations.map(\.own) == ["own-1", "own-1", "own-2", "own-2", "own-3"])
        }
    }

    @Test("While Keystone fails, known tokens count, others are answered 503; afterwards all is as before")
    func outage() async throws {
        try await withKeystone { keystone, client in
            keystone.add("known")
            keystone.add("new")
            #expect(await client.ask("known").userID != nil)
            keystone.setOut(true)
            #expect(await client.ask("known").userID != nil)
            #expect(await client.ask("new") == .unavailable)
            keystone.clock.advance(300)
            #expect(await client.ask("known") == .unavailable)
            keystone.setOut(false)
            #expect(await client.ask("known").userID != nil)
            #expect(await client.ask("new").userID != nil)
        }
    }

    @Test("A server whose own password is wrong answers 503, and does not try it with each request")
    func wrongPassword() async throws {
        try await withKeystone(password: "wrong") { keystone, client in
            keystone.add("good")
            for _ in 0..<10 { #expect(await client.ask("good") == .unavailable) }
            #expect(keystone.logins == 1)
            keystone.clock.advance(5)
            #expect(await client.ask("good") == .unavailable)
            #expect(keystone.logins == 2 && keystone.validations.isEmpty)
        }
    }

    @Test("A Keystone that nobody can reach is a 503")
    func unreachable() async throws {
        // Port 1 is reserved, and nothing listens there.
        let authentication = KeystoneAuthentication(
            configuration: KeystoneConfiguration(url: "http://127.0.0.1:1", user: "neutron", password: "x"), logger: .quiet,
            now: { Timestamp(secondsSince1970: 0) })
        #expect(await Client(authentication: authentication).ask("t") == .unavailable)
        try await authentication.close()
    }

    @Test("A cache of tokens never holds more than its limit, and keeps what is asked for")
    func bounds() {
        var cache = TokenCache<Int, Int>(limit: 100)
        let (now, end) = (Timestamp(secondsSince1970: 0), Timestamp(secondsSince1970: 300))
        for number in 0..<10_000 {
            cache.store(number, for: number, now: now, endsAt: end)
            #expect(cache.value(0, now: now) == 0)
            #expect(cache.count <= 100)
        }
        #expect(cache.value(9_999, now: now) == 9_999 && cache.value(1, now: now) == nil)
    }
}
