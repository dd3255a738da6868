import AccessPolicy
import HTTPTypes
import IdentityService

/// Authentication `built-in`: tokens of the identity that this server keeps itself.
struct BuiltInAuthentication: Authenticator {
    let identity: IdentityService
    /// A path is completed by where the request came to.
    let identityURL: String?

    init(identity: IdentityService, publicURL: String?) {
        self.identity = identity
        identityURL = (publicURL ?? "") + IdentityRoutes.versionPath
    }

    func caller(of headers: HTTPFields) async throws(AuthenticationFailure) -> Caller {
        guard let token = headers[.authToken] else { throw .unauthorized }
        var caller = try await caller(ofToken: token)
        // A service that passes a user's request on; a token that is none is refused, as by Keystone's middleware.
        if let service = headers[.serviceToken] { caller.serviceRoles = try await self.caller(ofToken: service).roles }
        return caller
    }

    private func caller(ofToken token: String) async throws(AuthenticationFailure) -> Caller {
        let caller: Caller?
        do {
            caller = try await identity.caller(ofToken: token)
        } catch {
            throw .unavailable
        }
        guard let caller else { throw .unauthorized }
        return caller
    }
}
