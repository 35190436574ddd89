using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Sway.Inference.Mlx;

/// <summary>
/// MLX in this process: the library, its device, and the one thread that all its work runs on. Started when first needed and kept to the
/// end of the process, because the library keeps its own state that long.
/// </summary>
internal sealed unsafe partial class MlxRuntime
{
    private static readonly Holder s_holder = new();

    [ThreadStatic]
    private static string? s_error;

    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;

    private MlxRuntime(MlxLibrary library, IReadOnlyList<NativeLibraryAttempt> attempts)
    {
        Library = library;
        Attempts = attempts;
        _thread = new Thread(Loop) { IsBackground = true, Name = "Sway MLX" };
        _thread.Start();
        Run(() =>
        {
            // The library's own handler ends the process.
            MlxNative.SetErrorHandler(&OnError, 0, 0);
            Version = Text((ref nint text) => MlxNative.Version(ref text));
            nint device = 0;
            Check(MlxNative.DefaultDevice(ref device));
            Device = Text((ref nint text) => MlxNative.DeviceText(ref text, device));
            nint stream = 0;
            Check(MlxNative.DefaultStream(ref stream, device));
            Stream = stream;
            Check(MlxNative.DeviceFree(device));
            return true;
        });
    }

    private delegate int TextCall(ref nint text);

    /// <summary>The library that was loaded.</summary>
    public MlxLibrary Library { get; }

    /// <summary>Where it was looked for.</summary>
    public IReadOnlyList<NativeLibraryAttempt> Attempts { get; }

    /// <summary>The version of MLX.</summary>
    public string Version { get; private set; } = "";

    /// <summary>The device that computes, as MLX names it.</summary>
    public string Device { get; private set; } = "";

    /// <summary>The stream that all operations are put on.</summary>
    public nint Stream { get; private set; }

    /// <summary>Whether the caller runs on the thread that owns MLX.</summary>
    public bool IsOwner => Thread.CurrentThread == _thread;

    /// <summary>The process's runtime.</summary>
    /// <exception cref="NativeLibraryException">The library did not load.</exception>
    public static MlxRuntime Get() => s_holder.Get(out IReadOnlyList<NativeLibraryAttempt> attempts) ?? throw MlxLibrary.Missing(attempts);

    /// <summary>The process's runtime, or null where the library does not load; and where it was looked for.</summary>
    public static MlxRuntime? TryGet(out IReadOnlyList<NativeLibraryAttempt> attempts) => s_holder.Get(out attempts);

    /// <summary>Runs a body on the owning thread and waits for it; its exception is the caller's.</summary>
    public T Run<T>(Func<T> body)
    {
        if (IsOwner)
        {
            return body();
        }

        T result = default!;
        ExceptionDispatchInfo? failure = null;
        using var done = new ManualResetEventSlim();
        _work.Add(() =>
        {
            try
            {
                result = body();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
            finally
            {
                done.Set();
            }
        });
        done.Wait();
        failure?.Throw();
        return result;
    }

    /// <summary>Frees an array, on the owning thread; safe from a finalizer.</summary>
    public void Release(nint array)
    {
        if (IsOwner)
        {
            _ = MlxNative.FreeArray(array);
        }
        else
        {
            _work.Add(() => _ = MlxNative.FreeArray(array));
        }
    }

    /// <summary>Turns a status into an exception with the library's words.</summary>
    /// <exception cref="NativeLibraryException">The status is not 0.</exception>
    public static void Check(int status)
    {
        if (status != 0)
        {
            Throw();
        }
    }

    /// <summary>Raises the library's last words on this thread.</summary>
    public static void Throw()
    {
        string words = s_error ?? "no reason given";
        s_error = null;
        throw new NativeLibraryException($"MLX failed: {words}") { Remedy = "Use the CPU engine (-Backend Cpu, --backend cpu)." };
    }

    // The text is a finished message here; what looks like a format in it is data. Nothing may be thrown into the library.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnError(byte* message, void* data) => s_error = Marshal.PtrToStringUTF8((nint)message)?.ReplaceLineEndings(" ").Trim();

    private static string Text(TextCall call)
    {
        nint text = 0;
        Check(call(ref text));
        string result = Marshal.PtrToStringUTF8((nint)MlxNative.StringData(text)) ?? "";
        Check(MlxNative.StringFree(text));
        return result;
    }

    // Newer Apple chips multiply float32 with 19 bits unless told otherwise; Sway's float32 means all 32. Managed environment variables do
    // not reach native code.
    private static void DemandFullPrecision()
    {
        if (!OperatingSystem.IsWindows())
        {
            _ = SetEnvironment("MLX_ENABLE_TF32", "0", 1);
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    private void Loop()
    {
        foreach (Action action in _work.GetConsumingEnumerable())
        {
            action();
        }
    }

    /// <summary>The one runtime of the process. A failure is not kept: the user may name the library and try again.</summary>
    private sealed class Holder
    {
        private readonly Lock _lock = new();
        private MlxRuntime? _runtime;

        public Holder()
        {
            NativeLibrary.SetDllImportResolver(
                typeof(MlxRuntime).Assembly, (name, _, _) => name == MlxNative.Library ? Loaded ?? 0 : 0);
        }

        private nint? Loaded { get; set; }

        public MlxRuntime? Get(out IReadOnlyList<NativeLibraryAttempt> attempts)
        {
            lock (_lock)
            {
                if (_runtime is null)
                {
                    var tried = new List<NativeLibraryAttempt>();
                    DemandFullPrecision();
                    if (MlxLibrary.TryLoad(tried) is not { } library)
                    {
                        attempts = tried;
                        return null;
                    }

                    Loaded = library.Handle;
                    _runtime = new MlxRuntime(library, tried);
                }

                attempts = _runtime.Attempts;
                return _runtime;
            }
        }
    }
}
