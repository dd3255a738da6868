/// Headers of requests for metadata. The names are Neutron's and Nova's.
public enum MetadataHeaders {
    /// Written by the haproxy in a namespace: the id of the network that it listens on.
    public static let network = "X-Neutron-Network-ID"
    /// Written by it too: the source address of the request.
    public static let source = "X-Forwarded-For"

    /// What Nova is told of who asks. It believes it for the signature's sake.
    public static func identity(of subject: InstanceSubject, at source: String, signature: String) -> [(name: String, value: String)] {
        [
            (Self.source, source), ("X-Instance-ID", subject.deviceID), ("X-Tenant-ID", subject.projectID),
            ("X-Instance-ID-Signature", signature),
        ]
    }

    /// Whether a header of an instance's request goes on to Nova. A list of what does, not of what does not: servers read `X_Instance_ID` as
    /// `X-Instance-ID`, and nobody knows all that Nova, or what is before it, will ever believe.
    ///
    /// - Parameter name: in lower case.
    public static func isPassedToNova(_ name: String) -> Bool { passedToNova.contains(name) }

    /// Whether a header of Nova's answer goes back to the instance.
    public static func isPassedBack(_ name: String) -> Bool { passedBack.contains(name) }

    private static let passedToNova: Set<String> = [
        "accept", "accept-encoding", "accept-language", "cache-control", "content-type", "if-modified-since", "if-none-match", "range",
        "user-agent",
    ]
    private static let passedBack: Set<String> = [
        "cache-control", "content-encoding", "content-language", "content-range", "content-type", "etag", "last-modified", "location",
        "retry-after", "vary",
    ]
}
