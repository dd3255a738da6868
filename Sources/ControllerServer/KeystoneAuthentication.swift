import AccessPolicy
import HTTPTypes
import Logging
import NetworkModel
import Synchronization

/// Authentication `keystone`: callers' tokens are validated by a Keystone, as its middleware does it for Neutron.
///
/// A request's way: token in the cache → its caller; being validated for another request → that one's result; else Keystone is asked. An answer
/// counts for ``cacheSeconds``, so a token that is revoked is accepted for that long, and requests go on through a short outage.
final class KeystoneAuthentication: Authenticator {
    /// How long a valid token is not asked for again (the middleware's `token_cache_time`).
    static let cacheSeconds = 300
    /// How long a token that was found invalid is refused without asking.
    static let invalidCacheSeconds = 30
    /// How many tokens are remembered, of either kind.
    static let maximumTokens = 20_000
    /// How many tokens are validated at a time; a request with yet another one is answered 503.
    static let maximumValidations = 1000
    /// No token of Keystone comes near this length.
    static let maximumTokenBytes = 8192
    /// A service with one of these roles may pass on a user's token that expired meanwhile (the middleware's `service_token_roles`).
    static let serviceRoles: Set<String> = ["service"]

    let identityURL: String?
    private let client: KeystoneClient
    private let own: KeystoneServiceToken
    private let now: @Sendable () -> Timestamp
    private let logger: Logger

    private struct Key: Hashable {
        var token: String
        var allowsExpired: Bool
    }

    private struct State {
        var valid = TokenCache<Key, KeystoneToken>(limit: KeystoneAuthentication.maximumTokens)
        /// Kept apart, so that guessing tokens displaces nobody's.
        var invalid = TokenCache<Key, Void>(limit: KeystoneAuthentication.maximumTokens)
        var validations: [Key: Task<KeystoneToken?, any Error>] = [:]
        var isFailing = false
    }

    private let state = Mutex(State())

    init(configuration: KeystoneConfiguration, logger: Logger, now: @escaping @Sendable () -> Timestamp) {
        identityURL = configuration.publicURL ?? configuration.url
        client = KeystoneClient(configuration: configuration)
        own = KeystoneServiceToken(client: client, now: now)
        self.now = now
        self.logger = logger
    }

    func close() async throws { try await client.close() }

    func caller(of headers: HTTPFields) async throws(AuthenticationFailure) -> Caller {
        guard let text = headers[.authToken] else { throw .unauthorized }
        var serviceRoles: Set<String> = []
        if let service = headers[.serviceToken] { serviceRoles = try await token(service, allowsExpired: false).caller.roles }
        var caller = try await token(text, allowsExpired: !serviceRoles.isDisjoint(with: Self.serviceRoles)).caller
        caller.serviceRoles = serviceRoles
        return caller
    }

    // MARK: One token

    /// What is known of a token after this request looked.
    private enum Knowledge {
        case valid(KeystoneToken)
        case invalid
        case pending(Task<KeystoneToken?, any Error>)
        case overloaded
    }

    private func token(_ text: String, allowsExpired: Bool) async throws(AuthenticationFailure) -> KeystoneToken {
        guard Self.isWellFormed(text) else { throw .unauthorized }
        let token: KeystoneToken?
        switch knowledge(of: Key(token: text, allowsExpired: allowsExpired)) {
        case .valid(let known): token = known
        case .invalid: token = nil
        case .overloaded: throw .unavailable
        case .pending(let validation):
            do { token = try await validation.value } catch { throw .unavailable }
        }
        guard let token, allowsExpired || now() < token.expiresAt else { throw .unauthorized }
        return token
    }

    /// Base64's and UUIDs' characters: nothing else is sent to Keystone.
    private static func isWellFormed(_ text: String) -> Bool {
        (1...maximumTokenBytes).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    private func knowledge(of key: Key) -> Knowledge {
        let moment = now()
        return state.withLock { state in
            if let token = state.valid.value(key, now: moment) { return .valid(token) }
            if state.invalid.value(key, now: moment) != nil { return .invalid }
            if let validation = state.validations[key] { return .pending(validation) }
            guard state.validations.count < Self.maximumValidations else { return .overloaded }
            // A task of its own: the request that began it may go away while others wait for the same.
            let validation = Task { try await self.validate(key) }
            state.validations[key] = validation
            return .pending(validation)
        }
    }

    private func validate(_ key: Key) async throws -> KeystoneToken? {
        do {
            let token = try await ask(key)
            finish(key) { state, moment in
                guard let token else {
                    state.invalid.store((), for: key, now: moment, endsAt: moment.adding(Self.invalidCacheSeconds))
                    return
                }
                state.valid.store(token, for: key, now: moment, endsAt: moment.adding(Self.cacheSeconds))
            }
            return token
        } catch {
            finish(key) { _, _ in }
            report(error)
            throw error
        }
    }

    private func finish(_ key: Key, _ body: (inout State, Timestamp) -> Void) {
        let moment = now()
        state.withLock { state in
            state.validations[key] = nil
            body(&state, moment)
        }
    }

    /// Asks Keystone; when it refuses this server's own token, again with a new one.
    private func ask(_ key: Key) async throws(KeystoneFailure) -> KeystoneToken? {
        for _ in 0..<KeystoneClient.attempts {
            let ours = try await own.text()
            switch try await client.validate(key.token, allowsExpired: key.allowsExpired, with: ours) {
            case .valid(let token):
                reportSuccess()
                return token
            case .invalid:
                reportSuccess()
                return nil
            case .refused: await own.discard(ours)
            }
        }
        throw KeystoneFailure(description: "Keystone refuses this server's own tokens")
    }

    // MARK: The log tells of an outage's beginning and end, not of each request.

    private func report(_ error: any Error) {
        let isNew = state.withLock { state in
            defer { state.isFailing = true }
            return !state.isFailing
        }
        if isNew { logger.error("Tokens cannot be validated", metadata: ["error": "\(error)"]) }
    }

    private func reportSuccess() {
        let wasFailing = state.withLock { state in
            defer { state.isFailing = false }
            return state.isFailing
        }
        if wasFailing { logger.notice("Tokens are validated again") }
    }
}

extension Timestamp {
    fileprivate func adding(_ seconds: Int) -> Timestamp { Timestamp(secondsSince1970: secondsSince1970 + seconds) }
}
