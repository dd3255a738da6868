import HostModel
import KernelInterface

/// Helpers of connection tracking, given to connections by protocol and port as the client addressed them.
///
/// They have a table of their own, so that a change of theirs touches no translation, and only helpers that the kernel is known to have
/// are in it: one that it has not would make it refuse the whole ruleset.
enum RouterHelpers {
    static let tableName = "neutrino_helpers"

    /// After connection tracking (−200) and before translation (−100), which prepares a connection for a helper that changes its packets.
    private static let hook = "type filter hook prerouting priority -190; policy accept;"

    /// Nil for a router without helpers.
    static func table(for router: HostRouter, known: Set<TrackingHelper>?) -> FirewallTable? {
        let wanted = router.connectionHelpers.filter { isUsable($0, known) }
        guard !wanted.isEmpty else { return nil }
        var table = FirewallTable(family: .inet, name: tableName)
        // The first of several for one port counts.
        var rules: [Rule: String] = [:]
        for wanted in wanted.sorted(by: { $0.id < $1.id }) {
            let helper = kernelHelper(wanted)
            let transport = helper.protocolNumber == 6 ? "tcp" : "udp"
            let name = "\(helper.name.filter { $0.isLetter || $0.isNumber })_\(transport)"
            table.objects[name] = .init(kind: "ct helper", lines: ["type \"\(helper.name)\" protocol \(transport)"])
            let rule = Rule(transport: transport, port: wanted.port)
            if rules[rule] == nil { rules[rule] = name }
        }
        let texts = rules.map { "\($0.key.transport) dport \($0.key.port) ct helper set \"\($0.value)\"" }.sorted()
        table.chains["prerouting"] = .init(hook: hook, rules: texts)
        return table
    }

    static func problems(of router: HostRouter, known: Set<TrackingHelper>?) -> [String] {
        router.connectionHelpers.filter { !isUsable($0, known) }.map {
            "the kernel has no connection tracking helper \(kernelHelper($0)) (connection helper \($0.id))"
        }.sorted()
    }

    private struct Rule: Hashable {
        var transport: String
        var port: Int
    }

    private static func isUsable(_ helper: HostRouter.ConnectionHelper, _ known: Set<TrackingHelper>?) -> Bool {
        (known ?? TrackingHelper.all).contains(kernelHelper(helper))
    }

    /// What the API calls h323 are two helpers.
    private static func kernelHelper(_ helper: HostRouter.ConnectionHelper) -> TrackingHelper {
        guard helper.helper == "h323" else { return TrackingHelper(name: helper.helper, protocolNumber: helper.protocolNumber) }
        return TrackingHelper(name: helper.protocolNumber == 6 ? "Q.931" : "RAS", protocolNumber: helper.protocolNumber)
    }
}
