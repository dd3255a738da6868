import APISchema
import HostModel

/// What a host's report may hold. An agent keeps within it; what goes beyond was not made by one.
enum ReportLimits {
    /// Bytes of `startID`.
    static let startIDBytes = 128
    /// Bytes of the name of a host, a zone or a physical network.
    static let nameBytes = 255
    /// Bytes of an interface's name: IFNAMSIZ less the final null.
    static let interfaceBytes = 15
    /// Bytes of a path (PATH_MAX).
    static let pathBytes = 4096
    /// Physical networks of one host.
    static let physicalNetworks = 256
    /// Bytes of one sentence about a failure.
    static let sentenceBytes = 4096
    static let failures = 100
    static let conflicts = 100
    /// Ports, and routers, of one report: more than a host can hold.
    static let subjects = 100_000

    /// Throws 400 with the name of the field that is too long or holds a null character, which no database keeps.
    static func check(_ hostID: String, _ status: HostStatus) throws(APIError) {
        try check(hostID, "host", nameBytes)
        try check(status.registration)
        try check(status.ports.count, "ports", subjects)
        try check(status.routers.count, "routers", subjects)
        try check(status.failures.count, "failures", failures)
        try check(status.conflicts?.count ?? 0, "conflicts", conflicts)
        for port in status.ports { try check(port.message ?? "", "message", sentenceBytes) }
        for router in status.routers { try check(router.failure ?? "", "failure", sentenceBytes) }
        for failure in status.failures { try check(failure, "failures", sentenceBytes) }
        for conflict in status.conflicts ?? [] { try check(conflict.hostID, "conflicts", nameBytes) }
    }

    private static func check(_ registration: HostStatus.Registration) throws(APIError) {
        try check(registration.startID, "startID", startIDBytes)
        try check(registration.stateDirectory, "stateDirectory", pathBytes)
        try check(registration.availabilityZone ?? "", "availabilityZone", nameBytes)
        if registration.availabilityZone?.isEmpty == true { throw refusal("availabilityZone is empty") }
        try check(registration.physicalNetworks.count, "physicalNetworks", physicalNetworks)
        for (name, interface) in registration.physicalNetworks {
            try check(name, "physicalNetworks", nameBytes)
            try check(interface, "physicalNetworks", interfaceBytes)
        }
    }

    private static func check(_ text: String, _ field: String, _ maximum: Int) throws(APIError) {
        guard text.utf8.count <= maximum else { throw refusal("\(field) is longer than \(maximum) bytes") }
        guard !text.utf8.contains(0) else { throw refusal("\(field) holds a null character") }
    }

    private static func check(_ count: Int, _ field: String, _ maximum: Int) throws(APIError) {
        guard count <= maximum else { throw refusal("\(field) has more than \(maximum) items") }
    }

    private static func refusal(_ reason: String) -> APIError {
        .badRequest("The report of the host cannot be taken: \(reason)")
    }
}
