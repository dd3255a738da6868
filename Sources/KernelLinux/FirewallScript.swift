import CNftables
import Glibc
import KernelInterface
import Synchronization

/// Runs nftables scripts through libnftables, in process.
///
/// Every script gets a context of its own, made and freed on the thread that is inside the namespace: a context opens its socket where it is
/// made, and libnftables opens more while it works. Keeping contexts would save little (a transaction that does nothing takes 0.2 ms, thread and
/// context included) and hold a copy of each namespace's ruleset in memory; the copy is read anew after every change anyhow.
enum FirewallScript {
    /// nft's complaint repeats the line that it complains about; more is of no use to a reader.
    static let errorCharacters = 2000

    /// libnftables keeps tables of its own in global variables.
    private static let oneAtATime = Mutex(())

    /// Runs the script as one transaction.
    static func run(_ script: String, in namespace: NamespaceName?) throws(KernelError) {
        let action = KernelOperation.applyFirewall(script: script, namespace).action
        try NamespaceRunner.runTyped(in: namespace) { () throws(KernelError) in
            if let complaint = oneAtATime.withLock({ _ in execute(script) }) {
                throw KernelError(code: 0, "cannot \(action): \(complaint)")
            }
        }
    }

    /// Nil when the kernel took the script, else what nft says.
    private static func execute(_ script: String) -> String? {
        guard let context = nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else { return "libnftables could not start (out of memory or sockets)" }
        defer { nft_ctx_free(context) }
        guard nft_ctx_buffer_output(context) == 0, nft_ctx_buffer_error(context) == 0 else { return "out of memory" }
        guard nft_run_cmd_from_buffer(context, script) != 0 else { return nil }
        let complaint = nft_ctx_get_error_buffer(context).map { oneLine(String(cString: $0)) } ?? ""
        return complaint.isEmpty ? "nft refused it without a word" : complaint
    }

    /// nft's complaint without the lines that only point at the place (`     ^^^^`).
    private static func oneLine(_ complaint: String) -> String {
        let lines = complaint.prefix(errorCharacters).split(whereSeparator: \.isNewline)
        return lines.filter { !$0.allSatisfy { " \t^~".contains($0) } }.joined(separator: " | ")
    }
}
