using System.Runtime.InteropServices;

namespace Sway.Inference.Mlx;

/// <summary>Element types as mlx-c numbers them.</summary>
internal enum MlxType
{
    Bool = 0,
    UInt32 = 3,
    Int32 = 7,
    Float16 = 9,
    Float32 = 10,
    BFloat16 = 12,
}

/// <summary>A number that may be absent; eight bytes, as mlx-c passes it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct OptionalInt(int value)
{
    private readonly int _value = value;
    private readonly byte _present = 1;
}

/// <summary>
/// The functions of mlx-c that the engine calls. A handle of mlx-c is a structure of one pointer, which every calling convention passes and
/// returns as that pointer; results go through a reference that must be zero before the call. A status other than 0 is an error.
/// </summary>
internal static unsafe partial class MlxNative
{
    /// <summary>The name that the resolver of <see cref="MlxLibrary"/> knows.</summary>
    internal const string Library = "mlxc";

    /// <summary>Every function that must be there: a library without one of them is of another version.</summary>
    internal static IReadOnlyList<string> Required { get; } =
    [
        .. typeof(MlxNative).GetMethods(System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic)
            .Select(method => method.GetCustomAttributes(typeof(EntryPointAttribute), false).OfType<EntryPointAttribute>().FirstOrDefault()?.Name)
            .OfType<string>(),
    ];

    [EntryPoint("mlx_set_error_handler")]
    [LibraryImport(Library, EntryPoint = "mlx_set_error_handler")]
    internal static partial void SetErrorHandler(delegate* unmanaged[Cdecl]<byte*, void*, void> handler, nint data, nint destructor);

    [EntryPoint("mlx_version")]
    [LibraryImport(Library, EntryPoint = "mlx_version")]
    internal static partial int Version(ref nint text);

    [EntryPoint("mlx_string_data")]
    [LibraryImport(Library, EntryPoint = "mlx_string_data")]
    internal static partial byte* StringData(nint text);

    [EntryPoint("mlx_string_free")]
    [LibraryImport(Library, EntryPoint = "mlx_string_free")]
    internal static partial int StringFree(nint text);

    [EntryPoint("mlx_get_default_device")]
    [LibraryImport(Library, EntryPoint = "mlx_get_default_device")]
    internal static partial int DefaultDevice(ref nint device);

    [EntryPoint("mlx_device_tostring")]
    [LibraryImport(Library, EntryPoint = "mlx_device_tostring")]
    internal static partial int DeviceText(ref nint text, nint device);

    [EntryPoint("mlx_device_free")]
    [LibraryImport(Library, EntryPoint = "mlx_device_free")]
    internal static partial int DeviceFree(nint device);

    [EntryPoint("mlx_get_default_stream")]
    [LibraryImport(Library, EntryPoint = "mlx_get_default_stream")]
    internal static partial int DefaultStream(ref nint stream, nint device);

    [EntryPoint("mlx_set_memory_limit")]
    [LibraryImport(Library, EntryPoint = "mlx_set_memory_limit")]
    internal static partial int SetMemoryLimit(out nuint before, nuint limit);

    [EntryPoint("mlx_set_cache_limit")]
    [LibraryImport(Library, EntryPoint = "mlx_set_cache_limit")]
    internal static partial int SetCacheLimit(out nuint before, nuint limit);

    [EntryPoint("mlx_get_peak_memory")]
    [LibraryImport(Library, EntryPoint = "mlx_get_peak_memory")]
    internal static partial int PeakMemory(out nuint bytes);

    [EntryPoint("mlx_get_active_memory")]
    [LibraryImport(Library, EntryPoint = "mlx_get_active_memory")]
    internal static partial int ActiveMemory(out nuint bytes);

    [EntryPoint("mlx_reset_peak_memory")]
    [LibraryImport(Library, EntryPoint = "mlx_reset_peak_memory")]
    internal static partial int ResetPeakMemory();

    [EntryPoint("mlx_clear_cache")]
    [LibraryImport(Library, EntryPoint = "mlx_clear_cache")]
    internal static partial int ClearCache();

    [EntryPoint("mlx_array_new_data")]
    [LibraryImport(Library, EntryPoint = "mlx_array_new_data")]
    internal static partial nint NewArray(void* data, int* shape, int dimensions, MlxType type);

    [EntryPoint("mlx_array_free")]
    [LibraryImport(Library, EntryPoint = "mlx_array_free")]
    internal static partial int FreeArray(nint array);

    [EntryPoint("mlx_array_data_float32")]
    [LibraryImport(Library, EntryPoint = "mlx_array_data_float32")]
    internal static partial float* Data(MlxArray array);

    [EntryPoint("mlx_array_dtype")]
    [LibraryImport(Library, EntryPoint = "mlx_array_dtype")]
    internal static partial MlxType TypeOf(MlxArray array);

    [EntryPoint("mlx_array_ndim")]
    [LibraryImport(Library, EntryPoint = "mlx_array_ndim")]
    internal static partial nuint Dimensions(MlxArray array);

    [EntryPoint("mlx_array_shape")]
    [LibraryImport(Library, EntryPoint = "mlx_array_shape")]
    internal static partial int* Shape(MlxArray array);

    [EntryPoint("mlx_vector_array_new_data")]
    [LibraryImport(Library, EntryPoint = "mlx_vector_array_new_data")]
    internal static partial nint NewVector(nint* arrays, nuint count);

    [EntryPoint("mlx_vector_array_free")]
    [LibraryImport(Library, EntryPoint = "mlx_vector_array_free")]
    internal static partial int FreeVector(nint vector);

    [EntryPoint("mlx_eval")]
    [LibraryImport(Library, EntryPoint = "mlx_eval")]
    internal static partial int Evaluate(nint vector);

    [EntryPoint("mlx_add")]
    [LibraryImport(Library, EntryPoint = "mlx_add")]
    internal static partial int Add(ref nint result, MlxArray a, MlxArray b, nint stream);

    [EntryPoint("mlx_subtract")]
    [LibraryImport(Library, EntryPoint = "mlx_subtract")]
    internal static partial int Subtract(ref nint result, MlxArray a, MlxArray b, nint stream);

    [EntryPoint("mlx_multiply")]
    [LibraryImport(Library, EntryPoint = "mlx_multiply")]
    internal static partial int Multiply(ref nint result, MlxArray a, MlxArray b, nint stream);

    [EntryPoint("mlx_divide")]
    [LibraryImport(Library, EntryPoint = "mlx_divide")]
    internal static partial int Divide(ref nint result, MlxArray a, MlxArray b, nint stream);

    [EntryPoint("mlx_maximum")]
    [LibraryImport(Library, EntryPoint = "mlx_maximum")]
    internal static partial int Maximum(ref nint result, MlxArray a, MlxArray b, nint stream);

    [EntryPoint("mlx_minimum")]
    [LibraryImport(Library, EntryPoint = "mlx_minimum")]
    internal static partial int Minimum(ref nint result, MlxArray a, MlxArray b, nint stream);

    [EntryPoint("mlx_matmul")]
    [LibraryImport(Library, EntryPoint = "mlx_matmul")]
    internal static partial int MatMul(ref nint result, MlxArray a, MlxArray b, nint stream);

    [EntryPoint("mlx_where")]
    [LibraryImport(Library, EntryPoint = "mlx_where")]
    internal static partial int Where(ref nint result, MlxArray condition, MlxArray a, MlxArray b, nint stream);

    [EntryPoint("mlx_sigmoid")]
    [LibraryImport(Library, EntryPoint = "mlx_sigmoid")]
    internal static partial int Sigmoid(ref nint result, MlxArray a, nint stream);

    [EntryPoint("mlx_tanh")]
    [LibraryImport(Library, EntryPoint = "mlx_tanh")]
    internal static partial int Tanh(ref nint result, MlxArray a, nint stream);

    [EntryPoint("mlx_erf")]
    [LibraryImport(Library, EntryPoint = "mlx_erf")]
    internal static partial int Erf(ref nint result, MlxArray a, nint stream);

    [EntryPoint("mlx_astype")]
    [LibraryImport(Library, EntryPoint = "mlx_astype")]
    internal static partial int Cast(ref nint result, MlxArray a, MlxType type, nint stream);

    [EntryPoint("mlx_contiguous")]
    [LibraryImport(Library, EntryPoint = "mlx_contiguous")]
    internal static partial int Contiguous(ref nint result, MlxArray a, byte allowColumnMajor, nint stream);

    [EntryPoint("mlx_reshape")]
    [LibraryImport(Library, EntryPoint = "mlx_reshape")]
    internal static partial int Reshape(ref nint result, MlxArray a, int* shape, nuint count, nint stream);

    [EntryPoint("mlx_broadcast_to")]
    [LibraryImport(Library, EntryPoint = "mlx_broadcast_to")]
    internal static partial int Broadcast(ref nint result, MlxArray a, int* shape, nuint count, nint stream);

    [EntryPoint("mlx_transpose_axes")]
    [LibraryImport(Library, EntryPoint = "mlx_transpose_axes")]
    internal static partial int Transpose(ref nint result, MlxArray a, int* axes, nuint count, nint stream);

    [EntryPoint("mlx_slice")]
    [LibraryImport(Library, EntryPoint = "mlx_slice")]
    internal static partial int Slice(
        ref nint result, MlxArray a, int* start, nuint starts, int* stop, nuint stops, int* strides, nuint stridesCount, nint stream);

    [EntryPoint("mlx_slice_update")]
    [LibraryImport(Library, EntryPoint = "mlx_slice_update")]
    internal static partial int SliceUpdate(
        ref nint result, MlxArray a, MlxArray update, int* start, nuint starts, int* stop, nuint stops, int* strides, nuint stridesCount, nint stream);

    [EntryPoint("mlx_take_axis")]
    [LibraryImport(Library, EntryPoint = "mlx_take_axis")]
    internal static partial int Take(ref nint result, MlxArray a, MlxArray indices, int axis, nint stream);

    [EntryPoint("mlx_concatenate_axis")]
    [LibraryImport(Library, EntryPoint = "mlx_concatenate_axis")]
    internal static partial int Concatenate(ref nint result, nint vector, int axis, nint stream);

    [EntryPoint("mlx_sum_axis")]
    [LibraryImport(Library, EntryPoint = "mlx_sum_axis")]
    internal static partial int Sum(ref nint result, MlxArray a, int axis, byte keep, nint stream);

    [EntryPoint("mlx_softmax_axis")]
    [LibraryImport(Library, EntryPoint = "mlx_softmax_axis")]
    internal static partial int SoftMax(ref nint result, MlxArray a, int axis, byte precise, nint stream);

    [EntryPoint("mlx_quantized_matmul")]
    [LibraryImport(Library, EntryPoint = "mlx_quantized_matmul", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int QuantizedMatMul(
        ref nint result, MlxArray x, MlxArray w, MlxArray scales, MlxArray biases, byte transpose, OptionalInt group, OptionalInt bits, string mode, nint stream);

    [EntryPoint("mlx_fast_rms_norm")]
    [LibraryImport(Library, EntryPoint = "mlx_fast_rms_norm")]
    internal static partial int RmsNorm(ref nint result, MlxArray x, MlxArray weight, float epsilon, nint stream);

    [EntryPoint("mlx_fast_layer_norm")]
    [LibraryImport(Library, EntryPoint = "mlx_fast_layer_norm")]
    internal static partial int LayerNorm(ref nint result, MlxArray x, MlxArray weight, MlxArray bias, float epsilon, nint stream);

    [EntryPoint("mlx_fast_scaled_dot_product_attention")]
    [LibraryImport(Library, EntryPoint = "mlx_fast_scaled_dot_product_attention", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Attention(
        ref nint result, MlxArray query, MlxArray key, MlxArray value, float scale, string maskMode, MlxArray mask, MlxArray sinks, nint stream);
}

/// <summary>The exported name of a function, for looking whether it is there.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class EntryPointAttribute(string name) : Attribute
{
    /// <summary>The name.</summary>
    public string Name { get; } = name;
}
