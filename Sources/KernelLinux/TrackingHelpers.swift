import KernelInterface

/// Which helpers of connection tracking the kernel has. A rule that names one it has not is refused with the whole ruleset, so it is
/// asked before.
public enum TrackingHelpers {
    /// Tries each in a namespace that has no name and goes at once; the kernel loads modules that it finds. Empty where no namespace can
    /// be made.
    public static func detect(_ candidates: Set<TrackingHelper> = TrackingHelper.all) -> Set<TrackingHelper> {
        var found: Set<TrackingHelper> = []
        do throws(KernelError) {
            try NamespaceRunner.runInNewNamespace { () throws(KernelError) in found = candidates.filter(isThere) }
        } catch {
            return []
        }
        return found
    }

    private static func isThere(_ helper: TrackingHelper) -> Bool {
        let transport = helper.protocolNumber == 6 ? "tcp" : "udp"
        let script = """
            add table inet probe
            delete table inet probe
            table inet probe { ct helper probe { type "\(helper.name)" protocol \(transport); }; }

            """
        do throws(KernelError) {
            try FirewallScript.run(script, in: nil)
            return true
        } catch {
            // ENOENT: no such helper.
            return false
        }
    }
}
