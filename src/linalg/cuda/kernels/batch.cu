// Columns as they come and go: one after another in memory, or interleaved.

#define TILE 32

// Interleaves `columns` columns of so many cells, with zeros in the lanes beyond, tile by tile so that both sides are
// read and written in runs. Blocks are TILE x 8 threads.
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

// The largest modulus.
extern "C" __global__ void __launch_bounds__(THREADS) largest(const double *x, double *partial, u32 cells, u32 shift) {
    double most = 0.0;
    EACH_CELL(cells) { most = Largest()(most, fabs(x[place(at, lane, shift)])); }
    leave(most, 0, partial, shift, Largest());
}

// x <- x times the factor of its column.
extern "C" __global__ void __launch_bounds__(THREADS)
rescale(double *x, const double *__restrict__ scalars, u32 cells, u32 shift) {
    EACH_CELL(cells) { x[place(at, lane, shift)] *= scalars[FACTOR * STRIDE + lane]; }
}

// Puts lanes, divided by their factors, back into the columns that they belong to; those that belong to none have the
// number NONE.
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

// out <- the lanes of x with these numbers, side by side; NONE gives zeros.
extern "C" __global__ void __launch_bounds__(THREADS)
narrow(const double *x, double *out, Places from, u32 cells, u32 wide, u32 shift) {
    EACH_CELL(cells) {
        out[place(at, lane, shift)] = from.column[lane] == NONE ? 0.0 : x[place(at, from.column[lane], wide)];
    }
}

// y <- x in the lanes that are marked; zeros in place of x where there is none.
extern "C" __global__ void __launch_bounds__(THREADS)
copy_lanes(const double *x, double *y, u64 marked, u32 cells, u32 shift) {
    EACH_CELL(cells) {
        const u64 here = place(at, lane, shift);
        if (marked >> lane & 1) y[here] = x ? x[here] : 0.0;
    }
}

// Sums |x|^2.
extern "C" __global__ void __launch_bounds__(THREADS) squares(const double *x, double *partial, u32 cells, u32 shift) {
    double square = 0.0;
    EACH_CELL(cells) {
        const double value = x[place(at, lane, shift)];
        square += value * value;
    }
    leave_sum(square, 0, partial, shift);
}
