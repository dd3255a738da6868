import CLinux
import Glibc

extension LinuxProcessHost {
    /// Waits, without holding a thread, until a process has ended.
    ///
    /// - Returns: True when it has ended or there is none. False when the task was cancelled, or when the process cannot be watched, for want of
    ///   descriptors.
    public static func hasEnded(process id: Int32) async -> Bool {
        // A descriptor of a process becomes readable with its end (pidfd_open(2)).
        let result = clinux_open_process(id)
        guard result >= 0 else { return result == -ESRCH }
        return await ReadableDescriptor(result).waitUntilReadable()
    }
}
