import APISchema

/// An error that is the caller's, in Keystone's words: `{"error": {"code": …, "message": …, "title": …}}`.
public struct IdentityError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The HTTP status.
    public var status: Int
    public var message: String
    /// When the caller may try again.
    public var retryAfterSeconds: Int?

    public init(status: Int, message: String, retryAfterSeconds: Int? = nil) {
        self.status = status
        self.message = message
        self.retryAfterSeconds = retryAfterSeconds
    }

    public var description: String { "\(status): \(message)" }

    /// The status in words, as Keystone's `title`.
    public var title: String {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 409: "Conflict"
        case 413: "Request Entity Too Large"
        case 429: "Too Many Requests"
        case 503: "Service Unavailable"
        default: "Internal Server Error"
        }
    }

    /// The same for a wrong password, an unknown user and a project without a role: nothing is revealed.
    public static let unauthorized = IdentityError(status: 401, message: "The request you have made requires authentication.")

    public static func badRequest(_ message: String) -> IdentityError { IdentityError(status: 400, message: message) }

    /// What Keystone's schemas say of a value of the wrong type.
    static func wrongType(_ name: String, _ value: JSONValue, _ type: String) -> IdentityError {
        badRequest("Invalid input for field '\(name)': \(value.text) is not of type '\(type)'")
    }

    public static func missing(_ attribute: String, in target: String) -> IdentityError {
        badRequest(
            "Expecting to find \(attribute) in \(target). The server could not comply with the request since it is either malformed or "
                + "otherwise incorrect. The client is assumed to be in error.")
    }

    /// - Parameter action: an action of Keystone's policy such as `identity:create_user`, or a reason.
    public static func forbidden(_ action: String) -> IdentityError {
        IdentityError(status: 403, message: "You are not authorized to perform the requested action: \(action).")
    }

    public static func notFound(_ kind: String, _ id: String) -> IdentityError {
        IdentityError(status: 404, message: "Could not find \(kind): \(id).")
    }

    public static let tokenNotFound = IdentityError(status: 404, message: "Failed to validate token")

    public static func duplicate(_ kind: IdentityKind, name: String, domainID: String?) -> IdentityError {
        let place = domainID.map { " at domain ID \($0)" } ?? ""
        return IdentityError(
            status: 409,
            message: "Conflict occurred attempting to store \(kind.singular) - Duplicate entry found with name \(name)\(place).")
    }

    public static func tooManyLogins(retryAfterSeconds: Int) -> IdentityError {
        IdentityError(
            status: 429, message: "Too many failed logins; try again in \(retryAfterSeconds) seconds.", retryAfterSeconds: retryAfterSeconds
        )
    }

    public static let busy = IdentityError(
        status: 503, message: "Too many logins are waiting; try again shortly.", retryAfterSeconds: 1)
}
