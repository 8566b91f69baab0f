// Conversion of columns between consecutive and interleaved storage, and operations on single lanes.

#define TILE 32

// Interleaves `columns` columns of `cells` entries each. The remaining lanes are set to zero. Tiles are
// transposed in shared memory, so that neighbouring threads read and write neighbouring entries. Blocks must
// have TILE x 8 threads.
extern "C" __global__ void interleave(const double *columns_in, double *out, u32 cells, u32 columns, u32 shift) {
    __shared__ double tile[TILE][TILE + 1];
    const u32 lanes = 1u << shift, first_cell = blockIdx.x * TILE, first_lane = blockIdx.y * TILE;
    for (u32 row = threadIdx.y; row < TILE; row += blockDim.y) {
        const u32 cell = first_cell + threadIdx.x, lane = first_lane + row;
        tile[row][threadIdx.x] = cell < cells && lane < columns ? columns_in[(u64)lane * cells + cell] : 0.0;
    }
    __syncthreads();
    for (u32 row = threadIdx.y; row < TILE; row += blockDim.y) {
        const u32 cell = first_cell + row, lane = first_lane + threadIdx.x;
        if (cell < cells && lane < lanes) out[place(cell, lane, shift)] = tile[threadIdx.x][row];
    }
}

// Computes the largest modulus in every lane, one partial result per block.
extern "C" __global__ void __launch_bounds__(THREADS) largest(const double *x, double *partial, u32 cells, u32 shift) {
    double most = 0.0;
    EACH_CELL(cells) { most = Largest()(most, fabs(x[place(at, lane, shift)])); }
    leave(most, 0, partial, shift, Largest());
}

// Multiplies x by the scale factor of its column.
extern "C" __global__ void __launch_bounds__(THREADS)
rescale(double *x, const double *__restrict__ scalars, u32 cells, u32 shift) {
    EACH_CELL(cells) { x[place(at, lane, shift)] *= scalars[FACTOR * STRIDE + lane]; }
}

// Divides lanes by their scale factors and copies them to columns. A lane without a column has the column
// index NONE.
#define NONE 0xffffffffu
struct Places {
    u32 column[STRIDE];
};

extern "C" __global__ void separate(const double *x, double *columns_out, const double *__restrict__ scalars, Places places, u32 cells, u32 shift) {
    __shared__ double tile[TILE][TILE + 1];
    const u32 lanes = 1u << shift, first_cell = blockIdx.x * TILE, first_lane = blockIdx.y * TILE;
    for (u32 row = threadIdx.y; row < TILE; row += blockDim.y) {
        const u32 cell = first_cell + row, lane = first_lane + threadIdx.x;
        if (cell < cells && lane < lanes) tile[row][threadIdx.x] = x[place(cell, lane, shift)];
    }
    __syncthreads();
    for (u32 row = threadIdx.y; row < TILE; row += blockDim.y) {
        const u32 cell = first_cell + threadIdx.x, lane = first_lane + row;
        if (cell < cells && lane < lanes && places.column[lane] != NONE)
            columns_out[(u64)places.column[lane] * cells + cell] =
                1.0 / scalars[FACTOR * STRIDE + lane] * tile[threadIdx.x][row];
    }
}

// Copies the lanes `from` of x, which has 2^wide lanes, to consecutive lanes of `out`. For NONE, writes
// zeros.
extern "C" __global__ void __launch_bounds__(THREADS)
narrow(const double *x, double *out, Places from, u32 cells, u32 wide, u32 shift) {
    EACH_CELL(cells) {
        out[place(at, lane, shift)] = from.column[lane] == NONE ? 0.0 : x[place(at, from.column[lane], wide)];
    }
}

// Copies x to y in the marked lanes. If x is null, sets them to zero.
extern "C" __global__ void __launch_bounds__(THREADS)
copy_lanes(const double *x, double *y, u64 marked, u32 cells, u32 shift) {
    EACH_CELL(cells) {
        const u64 here = place(at, lane, shift);
        if (marked >> lane & 1) y[here] = x ? x[here] : 0.0;
    }
}

// Computes partial sums of |x|^2.
extern "C" __global__ void __launch_bounds__(THREADS) squares(const double *x, double *partial, u32 cells, u32 shift) {
    double square = 0.0;
    EACH_CELL(cells) {
        const double value = x[place(at, lane, shift)];
        square += value * value;
    }
    leave_sum(square, 0, partial, shift);
}
