/// An error that is the caller's, in Neutron's words: `{"NeutronError": {"type": …, "message": …, "detail": ""}}`.
public struct APIError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The HTTP status.
    public var status: Int
    /// The name of Neutron's exception class; clients branch on it.
    public var type: String
    /// Neutron's own text; clients and test suites compare it.
    public var message: String

    public init(status: Int, type: String, message: String) {
        self.status = status
        self.type = type
        self.message = message
    }

    public var description: String { "\(status) \(type): \(message)" }

    /// What is answered for a path that nothing is behind, and for what the caller is not told of.
    public static let pathNotFound = APIError(status: 404, type: "HTTPNotFound", message: "The resource could not be found.")

    public static func badRequest(_ message: String) -> APIError { APIError(status: 400, type: "HTTPBadRequest", message: message) }

    /// Neutron's InvalidInput: `Invalid input for operation: …`.
    public static func invalidInput(_ reason: String) -> APIError {
        APIError(status: 400, type: "InvalidInput", message: "Invalid input for operation: \(reason).")
    }

    /// What an attribute's validation throws: `Invalid input for NAME. Reason: …`.
    public static func invalidAttribute(_ name: String, _ reason: String) -> APIError {
        badRequest("Invalid input for \(name). Reason: \(reason).")
    }
}
